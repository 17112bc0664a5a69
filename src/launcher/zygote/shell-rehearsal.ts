/**
 * Owns the rehearsal of the shell: the zygote is `sh -c` of a few words over a socket to itself, as children of
 * `execSync` are, so that a guest that is one finds every function of it with feedback. It is a step of
 * warming up, as most guests are no shells.
 *
 * Invariants: only texts written here run, and of the machine they ask what is answered here; no random number
 * is drawn, no handle is made, and nothing turns the event loop; no descriptor or listener of a rehearsal is left.
 */
import { useExactNames } from "../../guest/names.js";
import { Channel } from "../../guest/channel.js";
import type { CallListeners } from "../../guest/channel.js";
import { statusOf } from "../../guest/programs/run.js";
import { resolveOrder } from "../../guest/programs/sole-command.js";
import type { GuestCalls } from "../../guest/environment.js";
import { Errno } from "../../abi/errno.js";
import { S_IFREG } from "../../abi/fcntl.js";
import { StatSlot } from "../../protocol/fs-calls.js";
import type { StartOptions } from "../../protocol/guest-calls.js";
import { guestWire } from "../../protocol/guest-calls.js";
import { ServingPort } from "../../protocol/port.js";
import { usualStart } from "../../protocol/usual-start.js";
import * as libc from "../../sandbox/libc.js";
import type { RequireBuiltin } from "./engine-modules.js";

/** As many as lives of programs are rehearsed; see ./rehearsal.ts. */
const rounds = 12;
const kernelPort = new ServingPort(guestWire);

/** Words that a shell runs itself, and one that is a file: starting it is refused. */
const scripts = ["true", "echo text; false", "program -a"];

/**
 * What is looked at of a file; no more: with all of it, encoding would come so near to being optimised here that every
 * command does it for itself.
 */
const executable: number[] = Array.from({ length: StatSlot.mode + 1 }, () => 0);
executable[StatSlot.mode] = S_IFREG | 0o755;

const optionsOf = (script: string): StartOptions => ({
  ...usualStart,
  mode: "command",
  image: "sh",
  argv0: "/bin/sh",
  argv: ["-c", script],
});

interface ShellRehearsalTools {
  requireBuiltin: RequireBuiltin;
  callListeners: CallListeners;
  /** Makes `channel` the one that bindings use. */
  use(channel: Channel | undefined): void;
}

/** Every file is there and may be executed; nothing else is. */
function answerTo(name: keyof GuestCalls, id: number): Buffer {
  if (name === "stat") return kernelPort.reply({ name, id }, { values: executable });
  if (name === "access") return kernelPort.reply({ name, id }, {});
  return kernelPort.failure({ name, id }, { errno: Errno.EACCES, message: "" });
}

export async function rehearseShell(tools: ShellRehearsalTools): Promise<void> {
  const pair = libc.socketpair(libc.SOCK_STREAM, libc.SOCK_CLOEXEC | libc.SOCK_NONBLOCK);
  if (typeof pair === "number") return;
  const [guestEnd, kernelEnd] = pair;
  const drained = Buffer.alloc(64 * 1024);
  let calls = 0;
  // The answer waits before the question is sent.
  const listener: CallListeners[number] = (name) => {
    if (name === undefined) return;
    const reply = answerTo(name, ++calls);
    libc.write(kernelEnd, reply, 0, reply.length);
  };
  const channel = new Channel(guestEnd, tools.callListeners, () => {
    throw new Error("rehearsal: the channel closed");
  });
  tools.callListeners.push(listener);
  tools.use(channel);
  try {
    for (let round = 0; round < rounds; round++)
      for (const script of scripts) {
        const start = optionsOf(script);
        channel.setOutputs(start.outputWindowBytes, start.descriptors);
        const order = resolveOrder({ ...tools, channel }, { start, source: new Uint8Array(0) });
        await statusOf({ ...tools, channel, refused: order.refused }, order.start);
        libc.read(kernelEnd, drained, 0, drained.length);
      }
  } finally {
    tools.callListeners.splice(tools.callListeners.indexOf(listener), 1);
    tools.use(undefined);
    useExactNames(false);
    for (const fd of pair) libc.close(fd);
  }
}
