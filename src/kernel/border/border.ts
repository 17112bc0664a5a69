/**
 * Owns the border of one machine: its requests to certain hosts are read, judged, and sent on with what the host
 * adds, outside of the machine.
 *
 * Reading is done by a program of ours (src/border) in a guest process, with Node's own TLS and HTTP, in a
 * machine of its own that has no way out: who finds a defect of those parsers has the secrets that this one
 * machine may cause to be sent, and nothing of the kernel or of others. The kernel gives it connections in
 * pairs, one half to a program and one to the server that the policy has allowed it, and answers its questions.
 *
 * Invariants: a request is judged before it leaves; what the host adds goes to the border's process alone;
 * with the machine everything here ends.
 * Untrusted: what the border's process says, since it reads what guests and servers write.
 */
import { readFileSync, readdirSync } from "node:fs";
import { isIP } from "node:net";
import { Errno } from "../../abi/errno.js";
import { createAuthority } from "../../border/certificates.js";
import type { Identity } from "../../border/certificates.js";
import type { Addition, Asked, Verdict } from "../../border/wire.js";
import { borderLimits } from "../../protocol/border.js";
import type { BorderOptions, OutwardRequest } from "../../protocol/border.js";
import { auditDefaults } from "../../protocol/decisions.js";
import type { VmOptions } from "../../protocol/host-calls.js";
import { completeVmLimits } from "../../protocol/limits.js";
import { engineNodeVersion } from "../../protocol/platforms.js";
import type { HostUsage } from "../../protocol/usage.js";
import { HostProgram, ownProgram } from "../host-door/program.js";
import type { Deferred } from "../io/deferred.js";
import type { Vm } from "../machine/vm.js";
import type { Gate } from "../net/gate.js";
import type { Joined } from "../net/outside.js";
import { SocketDuplex } from "../net/socket-duplex.js";
import type { StreamSocket } from "../net/stream-socket.js";
import { borderLine } from "./lines.js";
import { HostCounts } from "./host-counts.js";
import { RequestRules } from "./request-rules.js";

const MiB = 1024 * 1024;
/** Where its program listens. */
const borderPort = 1;
const programs = new URL("../../border/", import.meta.url);
/** The modules of its program: text by name; read when the first machine has a border. */
let texts: ReadonlyMap<string, Buffer> | undefined;

function programTexts(): ReadonlyMap<string, Buffer> {
  texts ??= new Map(
    readdirSync(programs)
      .filter((name) => name.endsWith(".js"))
      .map((name) => [name, readFileSync(new URL(name, programs))]),
  );
  return texts;
}

/** A machine with one process and nothing but its own loopback. */
const machineOptions: VmOptions = {
  env: {},
  cwd: "/",
  mounts: [],
  permissions: {
    fs: "allow",
    network: "deny",
    childProcess: "deny",
    process: "deny",
    env: "allow",
    tool: "deny",
  },
  permissionTimeoutMs: 1,
  policyMode: "enforce",
  audit: { entries: auditDefaults.entries, all: false, stream: false },
  tools: [],
  jsRuntime: {
    nodeVersion: engineNodeVersion,
    platform: "node",
    moduleResolution: "node",
    allowedBuiltins: null,
    timing: "normal",
  },
  engine: "forked",
  nativeAddons: false,
  warnsOfLimits: false,
  limits: completeVmLimits({
    memoryBytes: 192 * MiB,
    processes: 1,
    threads: 0,
    sockets: 8,
    connections: 4 * borderLimits.connections,
    openFiles: 4 * borderLimits.connections,
    kernelBytes: 64 * MiB,
    fileSystemBytes: MiB,
    inodes: 1024,
  }),
};

/** One connection that goes through. */
interface Pair {
  readonly port: number;
  /** Names whose requests are looked into, each with the pattern that it counts under. */
  readonly guarded: ReadonlyMap<string, string>;
  readonly meter: ReturnType<HostCounts["meter"]>;
  readonly openedBy: { readonly pid: number; readonly argv0: string };
}

export interface BorderServices {
  /** Makes the machine of the border's program. */
  newMachine(options: VmOptions): Vm;
  /** Asks the host what a request gets: JSON of `OutwardAddition`. */
  ask(request: OutwardRequest): Deferred<{ added: string }>;
}

/** Its program, from the first connection on. */
interface Running {
  readonly vm: Vm;
  /** That are not answered yet. */
  questions: number;
  /** Ends of connections that it takes once it listens and knows what it is to do; undefined from then on. */
  waiting: StreamSocket[] | undefined;
}

export class Border implements Gate {
  readonly #vm: Vm;
  readonly #services: BorderServices;
  #options: BorderOptions;
  #rules: RequestRules;
  readonly #counts: HostCounts;
  readonly authority: Identity = createAuthority();
  readonly #pairs = new Map<number, Pair>();
  #lastPair = 0;
  #running: Running | undefined;
  #closed = false;

  constructor(vm: Vm, options: BorderOptions, services: BorderServices) {
    this.#vm = vm;
    this.#services = services;
    this.#options = options;
    this.#rules = new RequestRules(options.hosts, options.rules);
    const { requestsPerHost, bytesPerHost } = vm.limits;
    this.#counts = new HostCounts({ requests: requestsPerHost, bytes: bytesPerHost });
    vm.network.guardBy(this);
    vm.onDispose(() => this.#close());
  }

  /** From the next connection on, and the next request of those that are read already. Certificates stay. */
  set(options: BorderOptions): void {
    this.#options = { ...options, ca: this.#options.ca };
    this.#rules = new RequestRules(options.hosts, options.rules);
  }

  /** What went to each host, by its pattern. */
  usage(): Record<string, HostUsage> {
    return this.#counts.usage();
  }

  guards(names: readonly string[], port: number): boolean {
    return names.some((name) => this.#rules.patternOf(name, port) !== undefined);
  }

  join(socket: StreamSocket, names: readonly string[], port: number): Joined | number {
    if (this.#closed) return -Errno.ENETDOWN;
    if (this.#pairs.size >= borderLimits.connections) return -Errno.ENOBUFS;
    const running = (this.#running ??= this.#start());
    const { network } = running.vm;
    const inside = network.admit(socket);
    if (typeof inside === "number") return inside;
    const outside = network.admit(undefined);
    if (typeof outside === "number") {
      inside.accepted.reset();
      inside.accepted.unref();
      return outside;
    }
    const pair = ++this.#lastPair;
    const guarded = new Map<string, string>();
    for (const name of names) {
      const pattern = this.#rules.patternOf(name, port);
      if (pattern !== undefined) guarded.set(name, pattern);
    }
    // An address is not a name that a request might go by unseen.
    const others = names.filter((name) => !guarded.has(name) && isIP(name) === 0);
    const facts = { pair, guarded: [...guarded.keys()], others, port };
    // Before anybody else writes: the sockets have just been joined.
    socket.write(borderLine({ ...facts, side: "inside" }));
    outside.own.write(borderLine({ ...facts, side: "outside" }));
    const meter = this.#counts.meter(() => this.#pairs.delete(pair));
    const openedBy = socket.openedBy ?? { pid: 0, argv0: "" };
    this.#pairs.set(pair, { port, guarded, meter, openedBy });
    for (const { accepted } of [inside, outside])
      if (running.waiting === undefined) network.offer(accepted, borderPort);
      else running.waiting.push(accepted);
    return { socket: outside.own, meter };
  }

  #start(): Running {
    const vm = this.#services.newMachine(machineOptions);
    const running: Running = { vm, questions: 0, waiting: [] };
    for (const [name, text] of programTexts()) vm.writeHostFile(`/border/${name}`, text);
    vm.writeHostFile("/border/package.json", Buffer.from('{"type":"module"}'));
    const program = HostProgram.start(
      vm,
      { ...ownProgram, stdoutLimitBytes: 1, stderrLimitBytes: 1 },
      Buffer.from('import "/border/main.js";'),
      {
        output: (stream, data) =>
          program instanceof HostProgram && program.credit(stream, data.byteLength),
        stdinTaken: () => undefined,
        residentDone: () => undefined,
        templateReady: () => undefined,
        value: () => undefined,
        ended: () => this.#ended(running),
      },
    );
    vm.network.announceTo({
      listenerAdded: () => this.#converse(running),
      listenerRemoved: () => undefined,
    });
    // Whoever waits is told once this has returned.
    if (!(program instanceof HostProgram)) setImmediate(() => this.#ended(running));
    return running;
  }

  /** Its program is gone, and every connection through it. The next connection starts another. */
  #ended(running: Running): void {
    if (this.#running === running) {
      this.#running = undefined;
      this.#pairs.clear();
    }
    for (const socket of running.waiting?.splice(0) ?? []) {
      socket.reset();
      socket.unref();
    }
    running.vm.dispose();
  }

  #close(): void {
    this.#closed = true;
    if (this.#running !== undefined) this.#ended(this.#running);
  }

  /** It listens: the first connection is for questions and answers. */
  #converse(running: Running): void {
    const socket = running.vm.network.connectFromHost(borderPort);
    if (typeof socket === "number") return this.#ended(running);
    const control = new SocketDuplex(socket);
    const { ca } = this.#options;
    control.on("error", () => this.#ended(running));
    control.on("close", () => this.#ended(running));
    control.write(borderLine({ setting: { authority: this.authority, ca } }));
    let held = Buffer.alloc(0);
    control.on("data", (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      for (let end = held.indexOf(0x0a); end !== -1; end = held.indexOf(0x0a)) {
        const line = held.toString("utf8", 0, end);
        held = held.subarray(end + 1);
        if (!this.#heard(running, control, line)) return this.#ended(running);
      }
      if (held.length > borderLimits.lineBytes) this.#ended(running);
    });
  }

  /** One line of its program; false when it breaks the rules. */
  #heard(running: Running, control: SocketDuplex, line: string): boolean {
    const said = questionOf(line);
    if (said === undefined) return false;
    if (said === "ready") {
      for (const one of running.waiting?.splice(0) ?? []) running.vm.network.offer(one, borderPort);
      running.waiting = undefined;
      return true;
    }
    // One per connection; more is not what its program does.
    if (running.questions++ >= borderLimits.connections) return false;
    const answer = (verdict: Verdict): void => {
      running.questions--;
      if (!control.destroyed) control.write(borderLine({ answer: said.ask, ...verdict }));
    };
    const pair = this.#pairs.get(said.pair);
    if (pair === undefined) {
      answer({ allow: false, status: 502, text: "the server ended the connection" });
      return true;
    }
    const pattern = pair.guarded.get(said.host);
    if (pattern === undefined) return false;
    this.#judge(pair, pattern, { ...said, port: pair.port }, answer);
    return true;
  }

  #judge(
    pair: Pair,
    pattern: string,
    request: Asked & { port: number },
    answer: (verdict: Verdict) => void,
  ): void {
    const { host, port, secure, method, path } = request;
    const rule = this.#rules.verdict(host, port, method, path);
    const scheme = secure ? "https" : "http";
    const usual = port === (secure ? 443 : 80);
    const resource = `${method} ${scheme}://${host}${usual ? "" : `:${port}`}${path.split("?", 1)[0]}`;
    const allowed = this.#vm.observer.outward(resource, rule, pair.openedBy);
    if (!allowed) {
      const text = `EACCES: permission denied, ${resource}: blocked by network.request policy`;
      return answer({ allow: false, status: 403, text });
    }
    const exceeded = this.#counts.request(pattern, pair.meter);
    if (exceeded !== undefined)
      return answer({
        allow: false,
        status: 429,
        text: `${pattern} has had all that ${exceeded} allows`,
      });
    if (!this.#options.asks) return answer({ allow: true, headers: [], query: [] });
    const asked = this.#services.ask({
      host,
      port,
      secure,
      method,
      path,
      headers: request.headers,
    });
    asked.whenSettled((added) => {
      if (typeof added === "number")
        return answer({
          allow: false,
          status: 502,
          text: "the host gave nothing to add to the request",
        });
      answer({ allow: true, ...(JSON.parse(added.added) as Addition) });
    });
  }
}

/** What a line says; undefined for one that the border's own program does not write. */
function questionOf(line: string): Asked | "ready" | undefined {
  let said: Partial<Record<keyof Asked | "ready", unknown>>;
  try {
    said = JSON.parse(line) as typeof said;
  } catch {
    return undefined;
  }
  if (typeof said !== "object" || said === null) return undefined;
  if (said.ready === true) return "ready";
  const { ask, pair, host, secure, method, path, headers } = said;
  const numbers = [ask, pair].every((value) => Number.isSafeInteger(value));
  const strings = [host, method, path].every((value) => typeof value === "string");
  const list = Array.isArray(headers) && headers.every((value) => typeof value === "string");
  return numbers && strings && list && typeof secure === "boolean" ? (said as Asked) : undefined;
}
