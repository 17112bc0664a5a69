/**
 * Owns recordings: what a deterministic run was started with, every answer that the host gave it, and what it
 * put out; and the comparison of a second run with that.
 *
 * Invariants: a replayed run gets no answer that was not recorded, and none after a difference; what is
 * compared is bytes, in the order in which they come on each stream.
 * Untrusted: what the program says. A recording is as trusted as the program it holds, which runs in a
 * machine in any case: its fields are checked, its texts are only compared and handed to the program.
 */
import type { ProcessOptions } from "../protocol/host-calls.js";
import { failure, invalidOption, printable } from "./errors.js";
import type { SecureExecError } from "./errors.js";

/** What the host was asked: a tool by name with its input, or a policy function by scope with its requests. */
interface Question {
  kind: "tool" | "policy";
  name: string;
  /** JSON text. */
  input: string;
}

interface Answered {
  /** Of a tool: whether it succeeded. */
  ok: boolean;
  /** JSON text. */
  text: string;
}

/** A run of a deterministic runtime, as JSON carries it. `replay` takes it. */
export interface NodeRuntimeRecording {
  version: 1;
  deterministic: { seed: string; startTimeMs: number };
  /** What was run. `stdin` and `output` are base64. */
  program: Pick<ProcessOptions, "mode" | "language" | "name" | "args" | "env" | "cwd"> & {
    endWhenSettled: boolean;
    encoding?: "json" | "structured";
    source: string;
    stdin?: string;
  };
  answers: (Question & { answer?: Answered })[];
  output: { stdout: string; stderr: string };
  exitCode: number;
  /** JSON text of what was passed to `__return`, or base64 of it where the run's `encoding` is "structured". */
  value: string;
}

/** Where the answers of one run go to, or come from. */
export interface Tape {
  /** With an answer where there is one; otherwise `keep` takes it once the host has given it. */
  ask(question: Question): { answer?: Answered; keep(answer: Answered): void } | "ended";
  output(stream: number, data: Uint8Array): void;
  ended(exitCode: number, value: string): void;
}

type Head = Pick<NodeRuntimeRecording, "deterministic" | "program">;

export class Recorder implements Tape {
  readonly #head: Head;
  readonly #answers: NodeRuntimeRecording["answers"] = [];
  readonly #output: [Uint8Array[], Uint8Array[]] = [[], []];
  #end = { exitCode: 0, value: "" };

  constructor(head: Head) {
    this.#head = head;
  }

  ask(question: Question): { keep(answer: Answered): void } {
    const entry: NodeRuntimeRecording["answers"][number] = { ...question };
    this.#answers.push(entry);
    return { keep: (answer) => void (entry.answer = answer) };
  }

  output(stream: number, data: Uint8Array): void {
    this.#output[stream === 2 ? 1 : 0].push(Uint8Array.from(data));
  }

  ended(exitCode: number, value: string): void {
    this.#end = { exitCode, value };
  }

  get recording(): NodeRuntimeRecording {
    const [stdout, stderr] = this.#output.map((parts) => Buffer.concat(parts).toString("base64"));
    return {
      version: 1,
      ...this.#head,
      answers: this.#answers,
      output: { stdout: stdout!, stderr: stderr! },
      ...this.#end,
    };
  }
}

const shownChars = 512;

/** What is shown of a long text: what surrounds the difference. */
function around(text: string, at: number): string {
  return text.slice(Math.max(0, at - shownChars / 2), at + shownChars / 2);
}

function firstDifference(one: string, other: string): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at++;
  return at;
}

export class Player implements Tape {
  readonly #recorded: NodeRuntimeRecording;
  readonly #output: readonly [Buffer, Buffer];
  readonly #at: [number, number] = [0, 0];
  /** Recorded and not asked yet. What is asked at once may come in another order, which the program cannot see. */
  readonly #left: NodeRuntimeRecording["answers"];
  #differs = false;
  /** Called once, at the first difference. */
  readonly #differed: (error: SecureExecError) => void;

  constructor(recorded: NodeRuntimeRecording, differed: (error: SecureExecError) => void) {
    this.#recorded = recorded;
    this.#differed = differed;
    this.#left = [...recorded.answers];
    const { stdout, stderr } = recorded.output;
    this.#output = [Buffer.from(stdout, "base64"), Buffer.from(stderr, "base64")];
  }

  #differ(where: string, recorded: string, replayed: string): "ended" {
    if (this.#differs) return "ended";
    this.#differs = true;
    const at = firstDifference(recorded, replayed);
    const details = { where, recorded: around(recorded, at), replayed: around(replayed, at) };
    const why = `${where} differs: ${printable(details.recorded)} was recorded, ${printable(details.replayed)} came`;
    this.#differed(failure("REPLAY", { why }, { details }));
    return "ended";
  }

  ask(question: Question): { answer?: Answered; keep(answer: Answered): void } | "ended" {
    if (this.#differs) return "ended";
    const say = ({ kind, name, input }: Question): string => `${kind} ${name} ${input}`;
    const asked = say(question);
    const found = this.#left.findIndex((entry) => say(entry) === asked);
    const number = this.#recorded.answers.length - this.#left.length + 1;
    if (found < 0) {
      const expected = this.#left[0];
      const said = expected === undefined ? "" : say(expected);
      return this.#differ(`question ${number} to the host`, said, asked);
    }
    const entry = this.#left.splice(found, 1)[0]!;
    // One that was never answered: the program ended without.
    return { ...(entry.answer !== undefined && { answer: entry.answer }), keep: () => {} };
  }

  output(stream: number, data: Uint8Array): void {
    const which = stream === 2 ? 1 : 0;
    const from = this.#at[which];
    const recorded = this.#output[which].subarray(from, from + data.byteLength);
    this.#at[which] += data.byteLength;
    if (recorded.equals(data)) return;
    const name = which === 1 ? "stderr" : "stdout";
    this.#differ(
      `${name} from byte ${from}`,
      recorded.toString("utf8"),
      Buffer.from(data).toString("utf8"),
    );
  }

  ended(exitCode: number, given: string): void {
    for (const which of [0, 1] as const) {
      const left = this.#output[which].subarray(this.#at[which]);
      const where = `the end of ${which === 1 ? "stderr" : "stdout"}`;
      if (left.length > 0) this.#differ(where, left.toString("utf8"), "");
    }
    const { answers, value: recordedValue } = this.#recorded;
    const asked = answers.length - this.#left.length;
    if (this.#left.length > 0)
      this.#differ("the number of questions to the host", `${answers.length}`, `${asked}`);
    if (given !== recordedValue) this.#differ("the value of __return", recordedValue, given);
    if (exitCode !== this.#recorded.exitCode)
      this.#differ("the exit code", `${this.#recorded.exitCode}`, `${exitCode}`);
  }
}

/** What may be anything, and is looked into by name. */
type Part = Readonly<Record<string, unknown>>;

const isText = (value: unknown): value is string => typeof value === "string";

function isAnswer(value: unknown): boolean {
  const { kind, name, input, answer } = (value ?? {}) as Record<string, unknown>;
  if ((kind !== "tool" && kind !== "policy") || !isText(name) || !isText(input)) return false;
  if (answer === undefined) return true;
  const { ok, text } = (answer ?? {}) as Record<string, unknown>;
  return typeof ok === "boolean" && isText(text);
}

/** Checks what `replay` is given, which may come from a file. Throws INVALID_OPTION. */
export function parseRecording(value: unknown): NodeRuntimeRecording {
  const bad = (what: string): Error =>
    invalidOption(`recording.${what}`, "is not what a run recorded");
  if (typeof value !== "object" || value === null)
    throw invalidOption("recording", "must be an object");
  const copy = JSON.parse(JSON.stringify(value)) as Part;
  if (copy["version"] !== 1) throw bad("version");
  const { answers } = copy;
  const [deterministic, program, output] = ["deterministic", "program", "output"].map(
    (name) => (copy[name] ?? {}) as Part,
  ) as [Part, Part, Part];
  if (!isText(deterministic["seed"]) || typeof deterministic["startTimeMs"] !== "number")
    throw bad("deterministic");
  const { mode, language, name, args, env, cwd, source, stdin, endWhenSettled } = program;
  const { encoding = "json" } = program;
  const texts = [name, cwd, source, stdin ?? "", ...(Array.isArray(args) ? args : [0])];
  if (
    (mode !== "program" && mode !== "exec") ||
    (language !== "js" && language !== "ts") ||
    typeof endWhenSettled !== "boolean" ||
    (encoding !== "json" && encoding !== "structured") ||
    !texts.every(isText) ||
    typeof env !== "object" ||
    env === null ||
    !Object.values(env).every(isText)
  )
    throw bad("program");
  if (!Array.isArray(answers) || !answers.every(isAnswer)) throw bad("answers");
  if (!isText(output["stdout"]) || !isText(output["stderr"])) throw bad("output");
  if (!Number.isInteger(copy["exitCode"])) throw bad("exitCode");
  if (!isText(copy["value"])) throw bad("value");
  return copy as unknown as NodeRuntimeRecording;
}
