/** `read`. */
import { ShellArray, validName } from "../variables.js";
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

interface Input {
  readonly from: Descriptor;
  readonly delimiter: number;
  /** Characters, or no limit. */
  readonly count: number | undefined;
  readonly deadlineMs: number | undefined;
}

async function readInput(call: BuiltinCall, input: Input): Promise<Outcome> {
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
    // Continuation bytes of UTF-8 are no characters of their own.
    if ((bytes[0]! & 0xc0) !== 0x80) length += 1;
    if (length > MAX_LINE_BYTES) break;
  }
  return done("count");
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
export function splitLine(
  line: readonly Character[],
  separators: Separators,
  count: number,
): string[] {
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

async function read(call: BuiltinCall): Promise<number> {
  const { env, shell } = call;
  const { flags, operands } = call.options("ra:d:n:N:p:t:u:se");
  if (operands.length === 0 && !flags.has("a") && !shell.bash) call.fail("arg count");
  const names = operands.length > 0 ? operands : ["REPLY"];
  for (const name of names) if (!validName.test(name)) call.fail(`${name}: bad variable name`);
  const from = env.descriptors.get(Number(flags.get("u") ?? 0));
  if (from === undefined) return 1;
  const prompt = flags.get("p");
  if (prompt !== undefined) {
    const real = env.descriptors.get(0)?.real() ?? -1;
    if (real >= 0 && shell.system.isatty(real)) {
      await env.descriptors.get(2)?.write(encodeText(prompt));
    }
  }
  const timeout = flags.get("t");
  const countText = flags.get("N") ?? flags.get("n");
  const input: Input = {
    from,
    delimiter: flags.has("N")
      ? -1
      : flags.has("d")
        ? (encodeText(flags.get("d")!)[0] ?? 0)
        : NEWLINE,
    count: countText === undefined ? undefined : call.number(countText),
    deadlineMs: timeout === undefined ? undefined : shell.system.nowMs() + Number(timeout) * 1000,
  };
  const line: Character[] = [];
  let outcome: Outcome;
  do {
    outcome = await readInput(call, input);
  } while (
    unescape(decodeText(outcome.bytes).replaceAll("\0", ""), flags.has("r"), line) &&
    outcome.end === "delimiter"
  );
  const status = outcome.end === "timeout" ? 142 : outcome.end === "eof" ? 1 : 0;
  const array = flags.get("a");
  if (array !== undefined) {
    const fields = splitLine(line, env.separators, Number.MAX_SAFE_INTEGER);
    env.variables.setArray(array, new ShellArray(false, fields.entries()));
  } else if (operands.length === 0 || flags.has("N")) {
    env.assign(names[0]!, line.map(({ text }) => text).join(""));
  } else {
    const fields = splitLine(line, env.separators, names.length);
    for (const [index, name] of names.entries()) env.assign(name, fields[index] ?? "");
  }
  return status;
}

/** `mapfile`: the lines of the input as an array. */
async function mapfile(call: BuiltinCall): Promise<number> {
  const { env } = call;
  const { flags, operands } = call.options("tn:s:u:d:");
  const from = env.descriptors.get(Number(flags.get("u") ?? 0));
  if (from === undefined) return 1;
  const delimiter = flags.has("d") ? (encodeText(flags.get("d")!)[0] ?? 0) : NEWLINE;
  const ending = flags.has("t") ? "" : String.fromCharCode(delimiter);
  const skip = Number(flags.get("s") ?? 0);
  const most = Number(flags.get("n") ?? 0) || Infinity;
  const lines = new ShellArray(false);
  for (let index = 0; lines.size < most; index++) {
    const input: Input = { from, delimiter, count: undefined, deadlineMs: undefined };
    const { bytes, end } = await readInput(call, input);
    if (end === "eof" && bytes.length === 0) break;
    const text = decodeText(bytes) + (end === "delimiter" ? ending : "");
    if (index >= skip) lines.set(lines.size, text);
    if (end === "eof") break;
  }
  env.variables.setArray(operands[0] ?? "MAPFILE", lines);
  return 0;
}

export const readBuiltins: Record<string, Builtin> = {
  read: { run: read },
  mapfile: { run: mapfile, bashOnly: true },
  readarray: { run: mapfile, bashOnly: true },
};
