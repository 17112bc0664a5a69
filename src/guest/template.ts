/**
 * Owns a guest's life as a template: when its set-up has ended it waits for orders, and each makes one copy of the
 * process, which goes on from here as the process of another program.
 *
 * What a copy has of its own before its program is there: socket, stderr, event loop, thread pool, entropy, pid,
 * clocks, output window. Nothing here protects anything: that a copy is one that was ordered, and who it
 * is, the kernel process sees to (launcher/template.ts).
 */
import { startOptionsOf } from "./names.js";
import { engineResources } from "./active-handles.js";
import type { StartOptions } from "../protocol/guest-calls.js";
import * as libc from "../sandbox/libc.js";
import { forkSibling, settleSibling } from "../sandbox/sibling.js";
import type { Channel } from "./channel.js";
import { stopForCopies } from "./copying.js";
import { collectGarbage } from "./collect-garbage.js";
import { renewEntropy, spendEntropy } from "./entropy.js";
import type { EngineTools } from "./environment.js";

/** Where every guest has its socket. */
const socketFd = 3;

/** What may be there when a set-up has ended: this file's own, and the channel, which is held for what the kernel names. */
const harmless: ReadonlySet<string> = new Set(["Immediate", "TickObject", "PipeWrap"]);

export interface CopyTools {
  /** In a copy: has `main` run as the main script of a process that begins now. */
  begin(start: StartOptions, source: Uint8Array): void;
  /** In a copy: makes those pages its own at once that it will write. */
  populate(): void;
}

export interface TemplateTools extends EngineTools, CopyTools {
  channel: Channel;
}

/** What a copy could not go on with. */
function pendingIn(channel: Channel): string[] {
  const resources = engineResources().filter((name) => !harmless.has(name));
  // Those of stopForCopies are told to nobody.
  const untold = channel.untoldCalls.filter((name) => name !== "accept" && name !== "close");
  // Work for the engine's threads: crypto, zlib. Node does not list it.
  const tasks = libc.uvActiveRequests();
  return [
    ...resources,
    ...[...channel.pendingCalls, ...untold].map((name) => `${name} (system call)`),
    ...(tasks > 0 ? [`task of the thread pool (${tasks})`] : []),
  ];
}

/**
 * Called once the main module of the set-up has been evaluated. Does not return before the process is a copy, if ever.
 * "settled": nothing ran since it was copied from a process that had done the same.
 */
export function becomeTemplate(tools: TemplateTools, state: "used" | "settled"): void {
  const { channel } = tools;
  stopForCopies();
  const pending = pendingIn(channel);
  if (state === "used") {
    spendEntropy(tools);
    // What the set-up left is not for each copy to look through: a copy of a page costs more than a look.
    if (pending.length === 0) collectGarbage(tools.requireBuiltin);
  }
  channel.event("templateReady", { pending });
  for (let errno = 0; ;) {
    const fds = channel.awaitFork(errno);
    const pid = forkSibling();
    errno = Math.max(0, -pid);
    if (pid === 0) return becomeCopy(tools, fds);
    for (const fd of fds) libc.close(fd);
  }
}

function becomeCopy(
  { channel, begin, populate, internalBinding }: TemplateTools,
  fds: readonly number[],
): void {
  populate();
  const [socket, stderr, nothing] = fds;
  libc.dup2(nothing!, 0);
  libc.dup2(nothing!, 1);
  libc.dup2(stderr!, 2);
  libc.dup2(socket!, socketFd);
  settleSibling(socketFd);
  renewEntropy(internalBinding);
  channel.begins();
  channel.event("ready", {});
  const { options, source } = channel.waitFor("start");
  begin(startOptionsOf(options), source);
}
