/** `read`. */
import { isByteLocale } from "../locale.js";
import { ShellArray, elementName, validName } from "../variables.js";
import type { Descriptor } from "../descriptors.js";
import type { Separators } from "../fields.js";
import { concatBytes, decodeText, encodeText } from "../text.js";
import type { Builtin, BuiltinCall } from "./builtin.js";

const NEWLINE = 10;
const MAX_LINE_BYTES = 16 << 20;

/** One character of the input; escaped ones separate nothing. */
interface Character {
  readonly text: string;
  readonly escaped: boolean;
}

type Outcome = {
  readonly bytes: Uint8Array;
  readonly end: "delimiter" | "count" | "eof" | "timeout";
};

export interface Input {
  readonly from: Descriptor;
  readonly delimiter: number;
  /** Characters, or no limit. */
  readonly count: number | undefined;
  readonly deadlineMs: number | undefined;
  /** A character is a byte. */
  readonly bytes?: boolean;
}

export async function readInput(call: BuiltinCall, input: Input): Promise<Outcome> {
  const { from, delimiter, count, deadlineMs } = input;
  const chunks: Uint8Array[] = [];
  const done = (end: Outcome["end"]): Outcome => ({ bytes: concatBytes(chunks), end });
  const byLine = delimiter === NEWLINE && count === undefined;
  for (let length = 0; count === undefined || length < count;) {
    if (deadlineMs !== undefined) {
      const left = Math.max(0, deadlineMs - call.shell.system.nowMs());
      if (!(await from.readable(left))) return done("timeout");
    }
    const bytes =
      byLine && deadlineMs === undefined ? await from.readLine(MAX_LINE_BYTES) : await from.read(1);
    if (typeof bytes === "number" || bytes.length === 0) return done("eof");
    if (bytes.at(-1) === delimiter) {
      chunks.push(bytes.slice(0, -1));
      return done("delimiter");
    }
    chunks.push(bytes.slice());
    // A character counts when its last byte is there.
    const missing = input.bytes === true ? 0 : continuations(bytes[0]!);
    for (let left = byLine ? 0 : missing; left > 0; left--) {
      const next = await from.read(1);
      if (typeof next === "number" || next.length === 0) return done("eof");
      chunks.push(next.slice());
    }
    length += 1;
    if (length > MAX_LINE_BYTES) break;
  }
  return done("count");
}

/** How many bytes of UTF-8 follow the first one. */
function continuations(first: number): number {
  if (first >= 0xf0) return 3;
  if (first >= 0xe0) return 2;
  return first >= 0xc2 ? 1 : 0;
}

/** Removes backslashes; true when the line goes on. */
function unescape(text: string, raw: boolean, into: Character[]): boolean {
  const characters = Array.from(text);
  for (let at = 0; at < characters.length; at++) {
    if (raw || characters[at] !== "\\") into.push({ text: characters[at]!, escaped: false });
    else if (at + 1 === characters.length) return true;
    else into.push({ text: characters[++at]!, escaped: true });
  }
  return false;
}

/** Splits a line over `count` names: the last takes what is left. */
function splitLine(line: readonly Character[], separators: Separators, count: number): string[] {
  const isSpace = (c: Character | undefined): boolean =>
    c !== undefined && !c.escaped && separators.isWhitespace(c.text);
  const isOther = (c: Character | undefined): boolean =>
    c !== undefined && !c.escaped && separators.isOther(c.text);
  const textOf = (from: number, to: number): string =>
    line
      .slice(from, to)
      .map(({ text }) => text)
      .join("");
  const fields: string[] = [];
  let at = 0;
  while (isSpace(line[at])) at += 1;
  while (fields.length < count && at < line.length) {
    if (fields.length === count - 1) {
      fields.push(lastField(line, at, isSpace, isOther, textOf));
      break;
    }
    const start = at;
    while (at < line.length && !isSpace(line[at]) && !isOther(line[at])) at += 1;
    fields.push(textOf(start, at));
    while (isSpace(line[at])) at += 1;
    if (isOther(line[at])) at += 1;
    while (isSpace(line[at])) at += 1;
  }
  return fields;
}

function lastField(
  line: readonly Character[],
  from: number,
  isSpace: (c: Character | undefined) => boolean,
  isOther: (c: Character | undefined) => boolean,
  textOf: (from: number, to: number) => string,
): string {
  let end = line.length;
  while (end > from && isSpace(line[end - 1])) end -= 1;
  // One field and its delimiter: the delimiter belongs to it.
  const inner = line.slice(from, end - 1);
  if (isOther(line[end - 1]) && !inner.some((c) => isSpace(c) || isOther(c))) end -= 1;
  return textOf(from, end);
}

/** A file descriptor of `-u`; `undefined` after a complaint. */
export async function inputOf(
  call: BuiltinCall,
  text: string | undefined,
): Promise<Descriptor | undefined> {
  if (text !== undefined && !/^\d+$/.test(text)) {
    await call.complain(`${text}: invalid file descriptor specification`);
    return undefined;
  }
  const from = call.env.descriptors.get(Number(text ?? 0));
  if (from === undefined && call.shell.bash) {
    await call.complain(`${text ?? 0}: invalid file descriptor: Bad file descriptor`);
  }
  return from;
}

async function checkNames(call: BuiltinCall, names: readonly string[]): Promise<boolean> {
  for (const name of names) {
    if (validName.test(name) || (call.shell.bash && elementName.test(name))) continue;
    if (!call.shell.bash) call.fail(`${name}: bad variable name`);
    await call.complain(`\`${name}': not a valid identifier`);
    return false;
  }
  return true;
}

async function promptFor(call: BuiltinCall, prompt: string | undefined): Promise<void> {
  const { env, shell } = call;
  if (prompt === undefined) return;
  const real = env.descriptors.get(0)?.real() ?? -1;
  if (real >= 0 && shell.system.isatty(real)) {
    await env.descriptors.get(2)?.write(encodeText(prompt));
  }
}

function secondsOf(call: BuiltinCall, text: string): number {
  if (!/^(?:\d+\.?\d*|\.\d+)$/.test(text)) {
    const message = `${text}: invalid timeout specification`;
    call.fail(`Illegal number: ${text}`, 2, { message });
  }
  return Number(text);
}

async function read(call: BuiltinCall): Promise<number> {
  const { env, shell } = call;
  const { flags, operands } = call.options(shell.bash ? "ra:d:n:N:p:t:u:sei:" : "rp:");
  if (operands.length === 0 && !flags.has("a") && !shell.bash) call.fail("arg count");
  const array = flags.get("a");
  const names = operands.length > 0 ? operands : ["REPLY"];
  if (!(await checkNames(call, array === undefined ? names : [array]))) return 1;
  const from = await inputOf(call, flags.get("u"));
  if (from === undefined) return 1;
  await promptFor(call, flags.get("p"));
  const timeout = flags.get("t");
  const seconds = timeout === undefined ? undefined : secondsOf(call, timeout);
  if (seconds === 0) return (await from.readable(0)) ? 0 : 1;
  const countText = flags.get("N") ?? flags.get("n");
  const delimiter = flags.has("d") ? (encodeText(flags.get("d")!)[0] ?? 0) : NEWLINE;
  const input: Input = {
    from,
    delimiter: flags.has("N") ? -1 : delimiter,
    count:
      countText === undefined ? undefined : call.number(countText, `${countText}: invalid number`),
    deadlineMs: seconds === undefined ? undefined : shell.system.nowMs() + seconds * 1000,
    bytes: isByteLocale(env),
  };
  const line: Character[] = [];
  let outcome: Outcome;
  do {
    outcome = await readInput(call, input);
  } while (
    unescape(decodeText(outcome.bytes).replaceAll("\0", ""), flags.has("r"), line) &&
    outcome.end === "delimiter"
  );
  const plain = operands.length === 0 || flags.has("N");
  if (array !== undefined) {
    const fields = splitLine(line, env.separators, Number.MAX_SAFE_INTEGER);
    env.variables.setArray(array, ShellArray.of(fields));
  } else if (plain) {
    store(call, names[0]!, line.map(({ text }) => text).join(""));
    for (const name of names.slice(1)) store(call, name, "");
  } else {
    const fields = splitLine(line, env.separators, names.length);
    for (const [index, name] of names.entries()) store(call, name, fields[index] ?? "");
  }
  return outcome.end === "timeout" ? 142 : outcome.end === "eof" ? 1 : 0;
}

function store({ env }: BuiltinCall, name: string, value: string): void {
  const element = elementName.exec(name);
  if (element === null) env.assign(name, value);
  else env.assignElement(element[1]!, element[2]!, value);
}

export const readBuiltins: Record<string, Builtin> = { read: { run: read } };
