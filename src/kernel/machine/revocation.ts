/**
 * Owns what a change of permissions does to what was opened before: files, sockets, watches and
 * children are judged once more, and what would not be allowed now is closed for all who hold it.
 *
 * Invariants: descriptors keep their numbers, or a program would write into what it opens next;
 * what is on its way in a pipe is found, too; where a function decides, nothing is closed before it answered.
 * Untrusted: how much processes hold, which their limits bound.
 */
import { constants } from "node:os";
import { O_ACCMODE, O_RDONLY, O_WRONLY } from "../../abi/fcntl.js";
import type { Request, Scope } from "../../protocol/permissions.js";
import { OpenFile } from "../fs/index.js";
import { Deferred } from "../io/deferred.js";
import { Stream } from "../io/stream.js";
import { StreamSocket } from "../net/stream-socket.js";
import { UdpSocket } from "../net/udp-socket.js";
import type { Process } from "../process/process.js";
import type { Vm } from "./vm.js";

type Held = OpenFile | Stream;

/** Everything that a process can reach by its descriptors, and by what waits in them. */
function* heldBy(process: Process, seen: Set<Held>): Iterable<Held> {
  const found: Held[] = Array.from(process.descriptors.entries(), ([, description]) => description);
  for (let next = found.pop(); next !== undefined; next = found.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    yield next;
    if (next instanceof Stream) found.push(...next.holds(), ...next.heldFiles());
  }
}

class Revocation {
  readonly #vm: Vm;
  /** Judgements that a function of the host has not made yet. */
  readonly #late: Promise<void>[] = [];

  constructor(vm: Vm) {
    this.#vm = vm;
  }

  /** Resolves when everything was judged. */
  async run(scopes: ReadonlySet<Scope>): Promise<void> {
    const seen = new Set<Held>();
    for (const process of this.#vm.processes.values()) {
      if (process.ended) continue;
      for (const held of heldBy(process, seen)) {
        if (held instanceof OpenFile) {
          if (scopes.has("fs")) this.#file(process, held);
        } else if (held.file !== undefined) {
          if (scopes.has("fs")) this.#file(process, held.file);
        } else if (scopes.has("network")) this.#socket(process, held);
      }
      if (scopes.has("fs")) this.#watches(process);
      if (scopes.has("childProcess")) this.#child(process);
    }
    await Promise.all(this.#late);
  }

  #unless<D>(decision: 0 | D | Deferred<0 | D>, refused: () => void): void {
    if (!(decision instanceof Deferred)) {
      if (decision !== 0) refused();
      return;
    }
    const settled = new Promise<void>((resolve) =>
      decision.whenSettled((late) => {
        if (late !== 0) refused();
        resolve();
      }),
    );
    this.#late.push(settled);
  }

  #file(process: Process, file: OpenFile): void {
    const path = file.openedAt;
    if (typeof path === "number") return file.revoke(true, true);
    const mode = file.flags & O_ACCMODE;
    const { policy } = process;
    const judge = (operation: "read" | "write") =>
      policy.judge({ scope: "fs", operation, path }, undefined, process);
    if (mode !== O_WRONLY) this.#unless(judge("read"), () => file.revoke(true, false));
    if (mode !== O_RDONLY) this.#unless(judge("write"), () => file.revoke(false, true));
  }

  #socket(process: Process, socket: Stream): void {
    if (!(socket instanceof StreamSocket || socket instanceof UdpSocket)) return;
    const { judgedAs } = socket;
    if (judgedAs !== undefined) {
      const decision = process.policy.judge(judgedAs, undefined, process);
      this.#unless(decision, () => socket.revoke());
    }
    // Every datagram is judged when it is sent; what answers to earlier ones comes no more.
    if (socket instanceof UdpSocket) socket.forgetPeers();
  }

  #watches(process: Process): void {
    const { policy } = process;
    for (const [watch, path] of process.watches.paths()) {
      const requests = (["stat", "readdir"] as const).map((operation): Request => ({
        scope: "fs",
        operation,
        path,
      }));
      this.#unless(policy.judgeAll(requests, [], process), () => process.watches.remove(watch));
    }
  }

  /** Programs that the host started are not for that scope to judge. */
  #child(process: Process): void {
    const { executedAs, argv, credentials, startOptions } = process;
    if (executedAs === undefined) return;
    const requests = executedAs.map((name): Request => ({
      scope: "childProcess",
      operation: "spawn",
      args: argv.slice(1),
      cwd: credentials.cwd,
      env: startOptions?.env ?? {},
      ...name,
    }));
    this.#unless(process.policy.judgeAll(requests, [], process), () =>
      process.signal(constants.signals.SIGKILL, "permissions"),
    );
  }
}

/** Judges anew what the VM's processes hold in these scopes; resolves when all is judged. */
export function revokeDenied(vm: Vm, scopes: ReadonlySet<Scope>): Promise<void> {
  return new Revocation(vm).run(scopes);
}
