/**
 * Owns one session: the frames of a caller, looked at and handed to the worker's kernel under numbers
 * of this worker's own, and what the kernel says about the session's machines.
 *
 * Invariants: a caller names its own machines, programs and requests and nobody else's; a question of
 * the kernel is answered by the session that it was put to; what a caller leaves unread makes it wait,
 * and never grows beyond a bound; when the session is over its machines are disposed.
 * Untrusted: everything from the caller. What breaks the protocol ends the session, what breaks a rule
 * is refused.
 */
import { FrameReader } from "../protocol/frames.js";
import type { Reason } from "../protocol/fleet.js";
import { hostWire } from "../protocol/host-calls.js";
import type { HostTables, KernelStats, ProcessOptions, VmMount } from "../protocol/host-calls.js";
import { PacketStream } from "../protocol/packet-stream.js";
import type { PacketStreamOptions, StreamEnd } from "../protocol/packet-stream.js";
import { ServingPort } from "../protocol/port.js";
import type { CallOf, EventOf } from "../protocol/port.js";
import type { SecureExecError } from "../sdk/errors.js";
import type { KernelConnection, KernelEvent } from "../sdk/kernel-connection.js";
import type { KernelRoom, MachineOwner } from "./kernel-room.js";
import { Refusal, malformed, refused } from "./refusal.js";
import {
  additionTextOf,
  answersTextOf,
  checkNumbers,
  checkResult,
  failureOf,
} from "./session-checks.js";
import {
  borderOf,
  fetchRequestOf,
  mountOf,
  parsed,
  policiesOf,
  processOptionsOf,
  toolsOf,
  vmOptionsOf,
} from "./shapes.js";
import type { WorkerRules } from "./shapes.js";

type Calls = HostTables["calls"];
type Call = CallOf<Calls>;
type CallerEvent = EventOf<HostTables["callerEvents"]>;
type Numbers = Map<number, number>;

const bounds = Object.freeze({
  /** Calls without an answer yet; the SDK has one per operation of its user. */
  calls: 1024,
  /** Of those whose answers may be megabytes, so many are with the kernel at a time. */
  largeAnswers: 4,
  /** What is on its way to the caller before nothing more is taken from it. */
  unreadBytes: 4 * 1024 * 1024,
  /** Beyond that the caller is given up: it takes nothing, and something goes on writing. */
  mostUnreadBytes: 64 * 1024 * 1024,
  /** Questions of the kernel that the caller has not answered. */
  questions: 65_536,
});
/**
 * Calls that name a machine and nothing else of the worker's: a new call does not compile before somebody has
 * looked at what it names.
 */
const ofMachine = Object.freeze({
  readFile: true,
  writeFile: true,
  readMore: true,
  writeMore: true,
  abandon: true,
  readDir: true,
  stat: true,
  mkdir: true,
  rm: true,
  readlink: true,
  symlink: true,
  setAttributes: true,
  rename: true,
  openWrite: true,
  changeFile: true,
  link: true,
  realpath: true,
  diff: true,
  snapshot: true,
  abandonSnapshot: true,
  restore: true,
  audit: true,
  learned: true,
  unmount: true,
});
const largeAnswers: ReadonlySet<string> = new Set(["readFile", "readMore", "snapshot"]);

export interface SessionServices {
  readonly kernels: KernelRoom;
  readonly rules: WorkerRules;
  /** Takes room for one more machine; false when there is none, or the worker leaves. */
  takeSlot(): boolean;
  giveSlot(): void;
  /** A program has ended: JSON of `ProcessEnd`, and how long it was there. */
  ended(end: string, durationMs: number): void;
  over(session: Session, end: StreamEnd): void;
}

/** A machine of the session, under the kernel's number. */
interface Machine {
  readonly vm: number;
  /** The caller's number. */
  readonly named: number;
  /** The kernel's number of the machine that it was made from. */
  readonly source: number | undefined;
  /** Questions that the caller has to answer. */
  readonly questions: Set<number>;
}

interface Program {
  readonly named: number;
  readonly vm: number;
  readonly startedMs: number;
  /** Whether its caller has more to say to it, and so waits for it to have begun; else for its end. */
  readonly isDriven: boolean;
}

export class Session implements MachineOwner {
  readonly openedMs = performance.now();
  readonly #services: SessionServices;
  readonly #kernel: KernelConnection;
  readonly #stream: PacketStream;
  readonly #port = new ServingPort(hostWire);
  readonly #reader = new FrameReader();
  /** By the caller's numbers. */
  readonly #machines = new Map<number, Machine>();
  readonly #processes: Numbers = new Map();
  readonly #fetches: Numbers = new Map();
  /** By the kernel's. */
  readonly #byKernel = new Map<number, Machine>();
  readonly #programs = new Map<number, Program>();
  /** What was looked at last. */
  #lastOptions: { readonly text: string; readonly given: ProcessOptions } | undefined;
  #calls = 0;
  #large = 0;
  readonly #largeWaiting: (() => void)[] = [];
  /** What goes on when nothing waits to be sent. */
  readonly #whenRead: (() => void)[] = [];
  /** The slot that its first machine takes. */
  #reserved = true;

  constructor(
    services: SessionServices,
    kernel: KernelConnection,
    wire: Pick<PacketStreamOptions, "leaseMs" | "pieceBytes" | "transmit">,
  ) {
    this.#services = services;
    this.#kernel = kernel;
    this.#stream = new PacketStream({
      ...wire,
      receive: (bytes) => this.#reader.push(bytes, (frame) => this.#frame(frame)),
      drained: () => {
        for (const go of this.#whenRead.splice(0)) go();
        this.#stream.hold(false);
      },
      over: (end) => this.#finish(end),
    });
  }

  get machines(): number {
    return this.#machines.size;
  }

  take(packet: Uint8Array): void {
    this.#stream.take(packet);
  }

  unheard(): void {
    this.#stream.unheard();
  }

  brokerIsBack(): void {
    this.#stream.brokerIsBack();
  }

  end(reason: Reason): void {
    this.#stream.end(reason);
  }

  /** The worker leaves: the caller has so long to be done with its machines, or to take their files elsewhere. */
  draining(timeoutMs: number): void {
    for (const vm of this.#machines.keys())
      this.#write(this.#port.event("draining", { vm, timeoutMs }));
  }

  #write(frame: Buffer): void {
    this.#stream.write(frame);
    const { pendingBytes } = this.#stream;
    if (pendingBytes > bounds.mostUnreadBytes)
      this.end({
        code: "ERR_SECURE_EXEC_WORKER_LOST",
        message: `the worker gave the machine up: its caller leaves ${pendingBytes} bytes unread`,
      });
    else if (pendingBytes > bounds.unreadBytes) this.#stream.hold(true);
  }

  #frame(frame: Parameters<ServingPort<HostTables>["take"]>[0]): void {
    this.#port.take(
      frame,
      (call) => this.#called(call),
      (event) => this.#told(event),
    );
  }

  #called(call: Call): void {
    const fail = (error: unknown): void => this.#write(this.#port.failure(call, failureOf(error)));
    if (this.#calls >= bounds.calls)
      return fail(refused(`a session has at most ${bounds.calls} calls without an answer`));
    this.#calls++;
    const done = largeAnswers.has(call.name) ? this.#replyInTurn(call) : this.#reply(call);
    done.catch(fail).finally(() => this.#calls--);
  }

  async #reply(call: Call): Promise<void> {
    const result = await this.#answer(call);
    const frame = this.#port.reply(call, result as never);
    if (this.#isAwaited(call)) this.#write(frame);
    else this.#stream.writeLate(frame);
  }

  /** That a program has begun is no news where its end is awaited: a message less on the way to that. */
  #isAwaited(call: Call): boolean {
    if (call.name !== "spawn") return true;
    const process = this.#processes.get(call.args.process);
    return process !== undefined && this.#programs.get(process)?.isDriven === true;
  }

  /** A few at a time, and the next one when the caller has read most of what it was sent. */
  async #replyInTurn(call: Call): Promise<void> {
    if (this.#large >= bounds.largeAnswers)
      await new Promise<void>((resolve) => this.#largeWaiting.push(resolve));
    else this.#large++;
    try {
      await this.#reply(call);
    } finally {
      const next = (): void => {
        const waiting = this.#largeWaiting.shift();
        if (waiting === undefined) this.#large--;
        else waiting();
      };
      if (this.#stream.pendingBytes > bounds.unreadBytes) this.#whenRead.push(next);
      else next();
    }
  }

  /** Asks the kernel; the row's result. */
  async #answer(call: Call): Promise<unknown> {
    switch (call.name) {
      case "ping":
        return {};
      case "createVm":
        return this.#createVm(call.args.vm, call.args.options);
      case "disposeVm":
        return this.#disposeVm(call.args.vm);
      case "spawn":
        return this.#spawn(call.args);
      case "fetch":
        return this.#fetch(call.args);
      case "stats":
        return { json: JSON.stringify(await this.#stats()) };
      case "metrics":
        throw refused("metrics are for the worker's owner, at its --metrics");
      case "usage": {
        const { vm, process } = call.args;
        const own = process === 0 ? 0 : this.#processOf(process);
        return this.#kernel.call("usage", { vm: this.#machineOf(vm).vm, process: own });
      }
      case "setPermissions": {
        const permissions = policiesOf(parsed("permissions", call.args.permissions));
        return this.#kernel.call("setPermissions", {
          vm: this.#machineOf(call.args.vm).vm,
          permissions: JSON.stringify(permissions),
        });
      }
      case "setBorder": {
        const border = JSON.stringify(borderOf(parsed("network", call.args.border)));
        return this.#kernel.call("setBorder", { vm: this.#machineOf(call.args.vm).vm, border });
      }
      case "registerTools": {
        const tools = JSON.stringify(toolsOf(parsed("tools", call.args.tools)));
        return this.#kernel.call("registerTools", { vm: this.#machineOf(call.args.vm).vm, tools });
      }
      case "mount": {
        const mount: VmMount = mountOf(parsed("mount", call.args.mount), this.#services.rules);
        const { vm } = this.#machineOf(call.args.vm);
        return this.#kernel.call("mount", { vm, mount: JSON.stringify(mount) });
      }
      default:
        return this.#pass(call);
    }
  }

  /** The call as it is, about the caller's machine. The kernel holds transfers to the machine they are of. */
  #pass({ name, args }: Extract<Call, { name: keyof typeof ofMachine }>): Promise<unknown> {
    const own = { ...args, vm: this.#machineOf(args.vm).vm };
    return this.#kernel.call(name, own as never);
  }

  #machineOf(named: number): Machine {
    const machine = this.#machines.get(named);
    if (machine === undefined)
      throw new Refusal("ERR_SECURE_EXEC_DISPOSED", "the runtime was disposed");
    return machine;
  }

  #processOf(named: number): number {
    const process = this.#processes.get(named);
    if (process === undefined) throw malformed("the number of a program");
    return process;
  }

  async #createVm(named: number, text: string): Promise<object> {
    if (this.#machines.has(named)) throw malformed("the number of a machine");
    const given = vmOptionsOf(text, this.#services.rules);
    const source = given.source === undefined ? undefined : this.#machineOf(given.source);
    const options = {
      ...given,
      ...(source !== undefined && { source: source.vm }),
      ...(source !== undefined && this.#templateOf([source.vm], given.template)),
    };
    if (!this.#reserved && !this.#services.takeSlot())
      throw refused(
        "the worker runs as many machines as its --capacity allows, or takes no more because it leaves",
      );
    this.#reserved = false;
    const vm = this.#kernel.newHandle();
    const machine: Machine = { vm, named, questions: new Set(), source: source?.vm };
    this.#machines.set(named, machine);
    this.#byKernel.set(vm, machine);
    this.#services.kernels.own(this.#kernel, vm, this);
    try {
      return await this.#kernel.call("createVm", { vm, options: JSON.stringify(options) });
    } catch (error) {
      this.#forget(machine);
      throw error;
    }
  }

  #disposeVm(named: number): Promise<object> {
    const machine = this.#machines.get(named);
    // One that could not be made is disposed like any other.
    return machine === undefined ? Promise.resolve({}) : this.#dispose(machine);
  }

  async #dispose(machine: Machine): Promise<object> {
    try {
      return await this.#kernel.call("disposeVm", { vm: machine.vm });
    } finally {
      this.#forget(machine);
    }
  }

  #forget(machine: Machine): void {
    if (!this.#byKernel.delete(machine.vm)) return;
    this.#machines.delete(machine.named);
    for (const [process, { vm, named }] of this.#programs) {
      if (vm !== machine.vm) continue;
      this.#programs.delete(process);
      this.#processes.delete(named);
    }
    this.#services.kernels.disown(this.#kernel, machine.vm);
    this.#services.giveSlot();
  }

  async #spawn({ vm, process: named, options, source }: CallOfName<"spawn">): Promise<object> {
    const machine = this.#machineOf(vm);
    if (this.#processes.has(named)) throw malformed("the number of a program");
    // A caller that runs one program after the other says the same each time.
    if (this.#lastOptions?.text !== options)
      this.#lastOptions = { text: options, given: processOptionsOf(options) };
    const { given } = this.#lastOptions;
    const checked = JSON.stringify({
      ...given,
      ...this.#templateOf([machine.vm, machine.source], given.template),
    });
    const process = this.#kernel.newHandle();
    this.#processes.set(named, process);
    this.#programs.set(process, {
      named,
      vm: machine.vm,
      startedMs: performance.now(),
      isDriven: given.stdin || given.mode === "resident" || given.mode === "template",
    });
    try {
      return await this.#kernel.call("spawn", {
        vm: machine.vm,
        process,
        options: checked,
        source,
      });
    } catch (error) {
      this.#programs.delete(process);
      this.#processes.delete(named);
      throw error;
    }
  }

  /** The kernel's number of a program of these machines that another one is to be copied from. */
  #templateOf(
    machines: readonly (number | undefined)[],
    named: number | undefined,
  ): { template?: number } {
    if (named === undefined) return {};
    const process = this.#processes.get(named);
    const program = process === undefined ? undefined : this.#programs.get(process);
    if (program !== undefined && machines.includes(program.vm)) return { template: process! };
    throw new Refusal("ERR_SECURE_EXEC_TEMPLATE_ENDED", "the template has ended");
  }

  async #fetch({ vm, fetch: named, port, request, body }: CallOfName<"fetch">): Promise<object> {
    const machine = this.#machineOf(vm);
    if (this.#fetches.has(named)) throw malformed("the number of a request");
    const checked = JSON.stringify(fetchRequestOf(request));
    const fetch = this.#kernel.newHandle();
    this.#fetches.set(named, fetch);
    try {
      return await this.#kernel.call("fetch", {
        vm: machine.vm,
        fetch,
        port,
        request: checked,
        body,
      });
    } finally {
      this.#fetches.delete(named);
    }
  }

  /** What concerns the caller of the kernel's figures. */
  async #stats(): Promise<KernelStats> {
    const { json } = await this.#kernel.call("stats", {});
    const all = JSON.parse(json) as KernelStats;
    const own = [...this.#machines.values()].map(({ vm, named }) => [named, all.accounts[vm]]);
    const accounts = Object.fromEntries(own.filter(([, account]) => account !== undefined));
    return {
      ...all,
      pid: 0,
      zygotePid: 0,
      vms: this.#machines.size,
      processes: this.#programs.size,
      guestPids: [],
      accounts: accounts as KernelStats["accounts"],
    };
  }

  /** A one-way message of the caller. What it says about things that are gone is too late, not wrong. */
  #told(event: CallerEvent): void {
    const machine = this.#machines.get(event.args.vm);
    if (machine === undefined) return;
    const { vm } = machine;
    switch (event.name) {
      case "judged":
      case "toolDone": {
        const { id } = event.args;
        if (!machine.questions.delete(id)) return;
        if (event.name === "toolDone") {
          checkResult(event.args.json);
          return this.#kernel.send("toolDone", { ...event.args, vm });
        }
        return this.#kernel.send("judged", { vm, id, answers: answersTextOf(event.args.answers) });
      }
      case "outwardReady": {
        const { id, ok } = event.args;
        if (!machine.questions.delete(id)) return;
        const added = ok ? additionTextOf(event.args.added) : "";
        return this.#kernel.send("outwardReady", { vm, id, ok, added });
      }
      case "provided": {
        const { id, more } = event.args;
        if (!machine.questions.has(id)) return;
        if (!more) machine.questions.delete(id);
        return this.#kernel.send("provided", { ...event.args, vm });
      }
      case "toolParked": {
        const { id } = event.args;
        if (machine.questions.has(id)) this.#kernel.send("toolParked", { vm, id });
        return;
      }
      case "cancelFetch": {
        const fetch = this.#fetches.get(event.args.fetch);
        if (fetch !== undefined) this.#kernel.send("cancelFetch", { vm, fetch });
        return;
      }
      case "decisionsTaken":
        return this.#kernel.send("decisionsTaken", { vm });
      case "observe":
        return this.#kernel.send("observe", { ...event.args, vm });
      case "stdin":
      case "closeStdin":
      case "kill":
      case "credit":
      case "resize":
      case "residentExec": {
        const process = this.#processes.get(event.args.process);
        if (process === undefined) return;
        checkNumbers(event);
        const args = { ...event.args, vm, process };
        return this.#kernel.send(event.name, args as never);
      }
    }
  }

  /** Something of one of the session's machines. */
  happened(event: KernelEvent): void {
    const machine = this.#byKernel.get(event.args.vm);
    if (machine === undefined) return;
    const vm = machine.named;
    switch (event.name) {
      case "output":
      case "value":
      case "exit":
      case "stdinCredit":
      case "residentDone":
      case "templateReady": {
        const program = this.#programs.get(event.args.process);
        if (program === undefined) return;
        this.#say(event, { ...event.args, vm, process: program.named });
        if (event.name !== "exit") return;
        this.#programs.delete(event.args.process);
        this.#processes.delete(program.named);
        return this.#services.ended(event.args.end, performance.now() - program.startedMs);
      }
      case "judge":
      case "outward":
      case "toolCall":
      case "toolNext":
      case "provide":
        if (machine.questions.size >= bounds.questions)
          machine.questions.delete(machine.questions.values().next().value!);
        machine.questions.add(event.args.id);
        return this.#say(event, { ...event.args, vm });
      case "toolCancel":
      case "provideCancel":
        machine.questions.delete(event.args.id);
        return this.#say(event, { ...event.args, vm });
      case "listenerAdded":
      case "listenerRemoved":
      case "decisions":
      case "limitWarning":
        return this.#say(event, { ...event.args, vm });
      case "draining":
        // A kernel does not say that.
        return;
    }
  }

  /** Name and arguments are of one row; the type cannot say so for all rows at once. */
  #say({ name }: KernelEvent, args: object): void {
    this.#write(this.#port.event(name, args as never));
  }

  lost(error: SecureExecError): void {
    this.end({ code: error.code, message: error.message });
  }

  #finish(end: StreamEnd): void {
    for (const machine of this.#byKernel.values())
      // Without a kernel there is nothing left to dispose.
      void this.#dispose(machine).catch(() => undefined);
    if (this.#reserved) this.#services.giveSlot();
    this.#reserved = false;
    this.#services.over(this, end);
  }
}

type CallOfName<K extends keyof Calls> = Extract<Call, { name: K }>["args"];
