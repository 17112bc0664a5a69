/**
 * Owns the rehearsal of the zygote's own part: what it does for each fork, over a socket to itself, until the
 * engine has optimised it, and the end of optimising afterwards.
 *
 * A fork inherits how near each function is to being optimised. Where the zygote comes near by serving, some
 * thirty guests in a row each optimise the same function, which is twice the work of their whole start, until
 * the zygote has passed that point itself.
 *
 * Invariants: no descriptor is left; nothing of a guest is there.
 */
import * as libc from "../../sandbox/libc.js";
import { ControlKind, controlMessageBytes, decodeControl, encodeControl } from "./control.js";
import type { Message, Schema } from "../../protocol/codec.js";
import { FrameKind, encodeFrame } from "../../protocol/frames.js";
import type { RequireBuiltin } from "./engine-modules.js";
import { optimizeNoMore } from "./hot-functions.js";

/** Twice as many as the engine takes to find the calls of libc hot (TieringManager::ShouldOptimize). */
const rounds = 2000;

/** What guests say at their start and end differs in its fields, so functions that write them stay general. */
const said = [
  [FrameKind.event, { code: "i32" }, { code: 0 }],
  [FrameKind.call, { path: "string", follow: "bool" }, { path: "/bin", follow: true }],
  [FrameKind.call, { fd: "u32", data: "bytes" }, { fd: 1, data: new Uint8Array(8) }],
] as const;

/**
 * Each child of `execSync` says so much in its start that it would come to optimise how a field is written, for itself alone: a third
 * of what it does.
 */
function rehearseFrames(): void {
  for (let round = 0; round < rounds; round++)
    for (const [kind, schema, value] of said)
      encodeFrame(kind, round, 1, schema as Schema, value as Message<Schema>);
}

export function rehearseService(requireBuiltin: RequireBuiltin): void {
  const pair = libc.socketpair(libc.SOCK_STREAM, libc.SOCK_CLOEXEC);
  if (typeof pair !== "number") {
    const [mine, theirs] = pair;
    const message = Buffer.alloc(controlMessageBytes);
    const self = libc.getpid();
    for (let round = 0; round < rounds; round++) {
      const sent = encodeControl(ControlKind.here, round, -1);
      libc.write(theirs, sent, 0, sent.length);
      libc.pollReadable(mine, 0);
      libc.recvFds(mine, message);
      decodeControl(message);
      // Nobody's child is this process.
      libc.waitpid(self, libc.WNOHANG);
    }
    for (const fd of pair) libc.close(fd);
  }
  rehearseFrames();
  // A guest optimises again.
  optimizeNoMore(requireBuiltin);
}
