/**
 * Owns what the kernel may ask the host about one VM: its policy functions, its tools and file systems,
 * and what its requests get on their way out. The other end of kernel/host-requests.ts.
 *
 * Invariant: every question gets one answer, however the host's code behaves,
 * unless the kernel takes it back first.
 * Untrusted: requests and inputs, which guests have caused.
 */
import type { OutwardRequest } from "../protocol/border.js";
import type { Answer, Request, Scope } from "../protocol/permissions.js";
import type { Addition } from "./network-options.js";
import { additionTo } from "./outward.js";
import { askFunction } from "./permissions.js";
import type { PermissionFunctions } from "./permissions.js";
import { HostProviders } from "./provider.js";
import type { Tape } from "./recording.js";
import { isRead } from "../protocol/tool-values.js";
import { mostToolBytes } from "../protocol/tools.js";
import { HostToolbox } from "./tools.js";

export interface MachineHostPort {
  judged(id: number, answers: Answer[]): void;
  toolDone(id: number, ok: boolean, json: Uint8Array): void;
  toolParked(id: number): void;
  outwardReady(id: number, ok: boolean, added: string): void;
  provided(id: number, answer: string, data: Uint8Array, more: boolean): void;
}

/** What of a runtime's options is answered with here. */
interface MachineHostOptions {
  readonly permissions: { readonly functions: PermissionFunctions };
  readonly limits: { readonly valueBytes: number };
  readonly network?: { readonly additions: readonly Addition[] };
}

/** What is no JSON is told by its first byte, and base64 in a recording. */
const formMark = "base64:";

function textOfTape(bytes: Uint8Array): string {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [first = 0x20] = data;
  return first < 0x09 ? `${formMark}${data.toString("base64")}` : data.toString("utf8");
}

function bytesOfTape(text: string): Buffer {
  if (!text.startsWith(formMark)) return Buffer.from(text);
  return Buffer.from(text.slice(formMark.length), "base64");
}

/** Of several answers to one request: the first that does not allow it. Nobody's is a denial. */
function strictest(answers: readonly (Answer | undefined)[]): Answer {
  const [first = { allow: false }] = answers;
  return answers.find((answer) => answer?.allow !== true) ?? first;
}

export class MachineHost {
  readonly tools: HostToolbox;
  readonly providers: HostProviders;
  /** Those of the machine's making, and those it was narrowed by: all that a scope has are asked. */
  readonly #functions: PermissionFunctions[];
  readonly #port: MachineHostPort;
  /** Of the streams that programs read, by the call that opened them. */
  readonly #streams = new Map<number, number>();
  /** Of the program that runs, where it is recorded or replayed. */
  tape: Tape | undefined;

  /** What requests get on their way out, from the next one on. */
  additions: readonly Addition[];

  /** What has come of inputs, by the call. */
  readonly #inputs = new Map<number, Uint8Array[]>();

  constructor({ permissions, network, limits }: MachineHostOptions, port: MachineHostPort) {
    this.tools = new HostToolbox(mostToolBytes(limits.valueBytes));
    this.#functions = [permissions.functions];
    this.additions = network?.additions ?? [];
    this.#port = port;
    this.providers = new HostProviders((...answer) => port.provided(...answer));
  }

  judge(id: number, scope: Scope, requests: Request[]): void {
    const taped = this.tape?.ask({ kind: "policy", name: scope, input: JSON.stringify(requests) });
    if (taped === "ended") return;
    if (taped?.answer !== undefined)
      return this.#port.judged(id, JSON.parse(taped.answer.text) as Answer[]);
    const asked = this.#functions.filter((functions) => functions.has(scope));
    void Promise.all(asked.map((functions) => askFunction(functions, scope, requests))).then(
      (all) => {
        const answers = requests.map((_, at) => strictest(all.map((one) => one[at])));
        taped?.keep({ ok: true, text: JSON.stringify(answers) });
        this.#port.judged(id, answers);
      },
    );
  }

  /** From now on these are asked as well; answers how to take that back. */
  addFunctions(functions: PermissionFunctions): () => void {
    this.#functions.push(functions);
    return () => void this.#functions.splice(this.#functions.indexOf(functions), 1);
  }

  toolCall(id: number, name: string, part: Uint8Array, more: boolean): void {
    const parts = this.#inputs.get(id) ?? [];
    if (more) return void this.#inputs.set(id, [...parts, part]);
    this.#inputs.delete(id);
    const input = parts.length === 0 ? part : Buffer.concat([...parts, part]);
    const taped = this.tape?.ask({ kind: "tool", name, input: textOfTape(input) });
    if (taped === "ended") return;
    if (taped?.answer !== undefined) {
      const { ok, text } = taped.answer;
      return this.#port.toolDone(id, ok, this.#opened(id, bytesOfTape(text)));
    }
    const done = (ok: boolean, json: Uint8Array): void => {
      taped?.keep({ ok, text: textOfTape(json) });
      this.#port.toolDone(id, ok, this.#opened(id, json));
    };
    this.tools.call(id, name, input, done, () => this.#port.toolParked(id));
  }

  /** A request is on its way out of the machine. */
  outward(id: number, request: OutwardRequest): void {
    void additionTo(request, this.additions).then(
      (added) => this.#port.outwardReady(id, true, JSON.stringify(added)),
      // What it threw may hold what the host keeps to itself.
      () => this.#port.outwardReady(id, false, ""),
    );
  }

  /** The next value of a stream that a call was answered with. */
  toolNext(id: number, stream: number, stop: boolean): void {
    const number = this.#streams.get(stream) ?? 0;
    const taped = this.tape?.ask({ kind: "tool", name: "", input: `${number} ${stop}` });
    if (taped === "ended") return;
    if (taped?.answer !== undefined)
      return this.#port.toolDone(id, taped.answer.ok, bytesOfTape(taped.answer.text));
    this.tools.next(stream, stop, (ok, json) => {
      taped?.keep({ ok, text: textOfTape(json) });
      this.#port.toolDone(id, ok, json);
    });
  }

  toolCancel(id: number): void {
    this.#inputs.delete(id);
    this.#streams.delete(id);
    this.tools.cancel(id);
  }

  holdTools(): () => void {
    return this.tools.hold();
  }

  /** Streams have numbers in the order in which they were opened, which is the same each time. */
  #opened(id: number, json: Uint8Array): Uint8Array {
    if (isRead(json)) this.#streams.set(id, this.#streams.size);
    return json;
  }

  provide(id: number, provider: number, question: string, data: Uint8Array, more: boolean): void {
    this.providers.ask(id, provider, question, data, more);
  }

  provideCancel(id: number): void {
    this.providers.cancel(id);
  }

  /** The machine or its kernel is gone. */
  close(): void {
    this.providers.close();
    this.tools.cancelAll();
  }
}
