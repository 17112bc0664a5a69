/** Owns `stty`: what a terminal is set to, shown and changed, by the words of coreutils. */
import {
  ControlCharacter,
  InputFlag,
  LocalFlag,
  OutputFlag,
  saneAttributes,
  controlCharacterCount,
} from "../../abi/termios.js";
import type { TerminalAttributes } from "../../abi/termios.js";
import { CommandFailure, type Command, type CommandContext } from "../command.js";

const fd = 0;
const hint = "Try 'stty --help' for more information.\n";

/** In the order of `stty -a`. */
const characters: readonly (readonly [string, number])[] = [
  ["intr", ControlCharacter.VINTR],
  ["quit", ControlCharacter.VQUIT],
  ["erase", ControlCharacter.VERASE],
  ["kill", ControlCharacter.VKILL],
  ["eof", ControlCharacter.VEOF],
  ["eol", ControlCharacter.VEOL],
  ["eol2", ControlCharacter.VEOL2],
  ["swtch", ControlCharacter.VSWTC],
  ["start", ControlCharacter.VSTART],
  ["stop", ControlCharacter.VSTOP],
  ["susp", ControlCharacter.VSUSP],
  ["rprnt", ControlCharacter.VREPRINT],
  ["werase", ControlCharacter.VWERASE],
  ["lnext", ControlCharacter.VLNEXT],
  ["discard", ControlCharacter.VDISCARD],
];
const numbers = new Map([
  ["min", ControlCharacter.VMIN],
  ["time", ControlCharacter.VTIME],
]);

type Field = "cflag" | "iflag" | "oflag" | "lflag";

/** Rows of `stty -a`: field, then names with their bits. */
const flags: readonly (readonly [Field, readonly (readonly [string, number])[]])[] = [
  ["cflag", [["cread", 0o200]]],
  ["iflag", Object.entries(InputFlag).map(([name, bit]) => [name.toLowerCase(), bit] as const)],
  [
    "oflag",
    Object.entries(OutputFlag)
      .filter(([name]) => name !== "XTABS")
      .map(([name, bit]) => [name.toLowerCase(), bit] as const),
  ],
  ["lflag", Object.entries(LocalFlag).map(([name, bit]) => [name.toLowerCase(), bit] as const)],
];

type Change = (from: TerminalAttributes) => TerminalAttributes;
const setting =
  (changes: Partial<Record<Field, readonly [on: number, off: number]>>): Change =>
  (from) => {
    const to = { ...from };
    for (const [field, [on, off]] of Object.entries(changes)) {
      const name = field as Field;
      to[name] = ((to[name] & ~off) | on) >>> 0;
    }
    return to;
  };
const withCharacters = (
  from: TerminalAttributes,
  values: readonly (readonly [number, number])[],
) => {
  const cc = Uint8Array.from(from.cc);
  for (const [index, value] of values) cc[index] = value;
  return { ...from, cc };
};

const { ECHOCTL, ECHOE, ECHOKE, ICANON, ISIG } = LocalFlag;
const { BRKINT, ICRNL, IGNCR, IGNPAR, INLCR, INPCK, ISTRIP, IXON } = InputFlag;
const { OCRNL, ONLCR, ONLRET, OPOST } = OutputFlag;
const { VMIN, VTIME } = ControlCharacter;
const rawInput = BRKINT | IGNPAR | INPCK | ISTRIP | INLCR | IGNCR | ICRNL | IXON;
const raw: Change = (from) =>
  withCharacters(
    setting({ iflag: [0, rawInput], oflag: [0, OPOST], lflag: [0, ISIG | ICANON] })(from),
    [
      [VMIN, 1],
      [VTIME, 0],
    ],
  );
const cooked = setting({
  iflag: [BRKINT | IGNPAR | ISTRIP | ICRNL | IXON, 0],
  oflag: [OPOST, 0],
  lflag: [ISIG | ICANON, 0],
});

const combinations = new Map<string, Change>([
  ["raw", raw],
  ["-raw", cooked],
  ["cooked", cooked],
  ["-cooked", raw],
  ["cbreak", setting({ lflag: [0, ICANON] })],
  ["-cbreak", setting({ lflag: [ICANON, 0] })],
  ["sane", (from) => ({ ...saneAttributes(), cflag: from.cflag })],
  ["nl", setting({ iflag: [0, ICRNL], oflag: [0, ONLCR] })],
  ["-nl", setting({ iflag: [ICRNL, INLCR | IGNCR], oflag: [ONLCR, OCRNL | ONLRET] })],
  ["crterase", setting({ lflag: [ECHOE, 0] })],
  ["-crterase", setting({ lflag: [0, ECHOE] })],
  ["crt", setting({ lflag: [ECHOE | ECHOCTL | ECHOKE, 0] })],
  ["dec", setting({ lflag: [ECHOE | ECHOCTL | ECHOKE, 0], iflag: [0, InputFlag.IXANY] })],
  ["litout", setting({ oflag: [0, OPOST] })],
  ["-litout", setting({ oflag: [OPOST, 0] })],
  ["tabs", setting({ oflag: [0, OutputFlag.XTABS] })],
  ["-tabs", setting({ oflag: [OutputFlag.XTABS, 0] })],
  [
    "ek",
    (from) =>
      withCharacters(from, [
        [ControlCharacter.VERASE, 0x7f],
        [ControlCharacter.VKILL, 0x15],
      ]),
  ],
]);
const aliases = new Map([
  ["ctlecho", "echoctl"],
  ["crtkill", "echoke"],
  ["prterase", "echoprt"],
  ["hup", "hupcl"],
  ["tandem", "ixoff"],
]);
/** Of a line that is none: taken as said. */
const ignored = /^-?(?:hupcl|clocal|crtscts|parenb|parodd|cstopb|cs[5-8]|ignbrk|flusho|extproc)$/;

export const main: Command = (context) => {
  const words = context.argv.slice(1);
  if (words[0] === "-F" || words[0] === "--file") words.splice(0, 2);
  const { terminal } = context;
  const before = terminal?.attributes(fd) ?? -1;
  if (terminal === undefined || typeof before === "number")
    throw new CommandFailure("'standard input': Inappropriate ioctl for device");
  if (words.length === 0 || words[0] === "-a" || words[0] === "--all") {
    context.write(words.length === 0 ? changed(before) : all(before, terminal.size(fd)));
    return 0;
  }
  if (words[0] === "-g" || words[0] === "--save") {
    const { cc, cflag, iflag, lflag, oflag } = before;
    const values = [iflag, oflag, cflag, lflag, ...cc].map((value) => value.toString(16));
    context.write(`${values.join(":")}\n`);
    return 0;
  }
  const after = change(context, before, words);
  if (after !== before && terminal.setAttributes(fd, after) < 0)
    throw new CommandFailure("'standard input': unable to perform all requested operations");
  return 0;
};

function change(
  context: CommandContext,
  before: TerminalAttributes,
  words: readonly string[],
): TerminalAttributes {
  const terminal = context.terminal!;
  let state = before;
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    const argument = (): string => {
      at += 1;
      const value = words[at];
      if (value === undefined) throw new CommandFailure(`missing argument to '${word}'`, 1, hint);
      return value;
    };
    if (word === "size") {
      const { columns, rows } = terminal.size(fd);
      context.write(`${rows} ${columns}\n`);
    } else if (word === "speed") context.write("38400\n");
    else if (word === "rows" || word === "cols" || word === "columns") {
      const value = cells(argument());
      const { columns, rows } = terminal.size(fd);
      terminal.resize(fd, word === "rows" ? value : rows, word === "rows" ? columns : value);
    } else if (numbers.has(word)) {
      state = withCharacters(state, [[numbers.get(word)!, Number(argument()) & 0xff]]);
    } else if (characters.some(([name]) => name === word)) {
      const index = characters.find(([name]) => name === word)![1];
      state = withCharacters(state, [[index, character(argument())]]);
    } else if (/^(?:ispeed|ospeed|line)$/.test(word)) argument();
    else state = named(word)(state);
  }
  return state;
}

function cells(text: string): number {
  if (/^\d+$/.test(text) && Number(text) <= 0xffff) return Number(text);
  throw new CommandFailure(`invalid integer argument: '${text}'`, 1);
}

/** `^C`, a character, `^-` or `undef` for none. */
function character(text: string): number {
  if (text === "^-" || text === "undef") return 0;
  if (text === "^?") return 0x7f;
  if (/^\^.$/.test(text)) return text.charCodeAt(1) & 0x1f;
  if (/^\d\d+$/.test(text)) return Number(text) & 0xff;
  return text.charCodeAt(0) & 0xff;
}

function named(word: string): Change {
  const combination = combinations.get(word);
  if (combination !== undefined) return combination;
  const off = word.startsWith("-");
  const plain = off ? word.slice(1) : word;
  const name = aliases.get(plain) ?? plain;
  for (const [field, names] of flags) {
    const bit = names.find(([one]) => one === name)?.[1];
    if (bit !== undefined) return setting({ [field]: off ? [0, bit] : [bit, 0] });
  }
  if (ignored.test(word) || /^\d+$/.test(word)) return (from) => from;
  const saved = word.split(":").map((part) => Number.parseInt(part, 16));
  if (saved.length >= 4 + controlCharacterCount && saved.every((part) => part >= 0)) {
    const [iflag, oflag, cflag, lflag, ...cc] = saved as [number, number, number, number];
    return () => ({
      iflag,
      oflag,
      cflag,
      lflag,
      cc: Uint8Array.from((cc as number[]).slice(0, controlCharacterCount)),
    });
  }
  throw new CommandFailure(`invalid argument '${word}'`, 1, hint);
}

function shown(value: number): string {
  if (value === 0) return "<undef>";
  if (value === 0x7f) return "^?";
  return value < 0x20 ? `^${String.fromCharCode(value ^ 0x40)}` : String.fromCharCode(value);
}

function all(state: TerminalAttributes, size: { rows: number; columns: number }): string {
  const lines = [`speed 38400 baud; rows ${size.rows}; columns ${size.columns}; line = 0;`];
  let row = "";
  for (const [name, index] of characters) {
    const text = `${name} = ${shown(state.cc[index]!)};`;
    if (row !== "" && row.length + text.length + 1 > 79) {
      lines.push(row);
      row = "";
    }
    row += row === "" ? text : ` ${text}`;
  }
  lines.push(`${row} min = ${state.cc[VMIN]!}; time = ${state.cc[VTIME]!};`);
  for (const [field, names] of flags)
    lines.push(
      names.map(([name, bit]) => `${(state[field] & bit) === 0 ? "-" : ""}${name}`).join(" "),
    );
  return `${lines.join("\n")}\n`;
}

/** What differs from `sane`. */
function changed(state: TerminalAttributes): string {
  const sane = saneAttributes();
  const lines = ["speed 38400 baud; line = 0;"];
  const differing = characters.filter(([, index]) => state.cc[index] !== sane.cc[index]);
  if (differing.length > 0)
    lines.push(differing.map(([name, index]) => `${name} = ${shown(state.cc[index]!)};`).join(" "));
  for (const [field, names] of flags) {
    const words = names
      .filter(([, bit]) => (state[field] & bit) !== (sane[field] & bit))
      .map(([name, bit]) => `${(state[field] & bit) === 0 ? "-" : ""}${name}`);
    if (words.length > 0) lines.push(words.join(" "));
  }
  return `${lines.join("\n")}\n`;
}
