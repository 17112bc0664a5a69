/**
 * Starts a process of mode "wasm": the module at `image`, with the process's own
 * arguments and environment.
 */
import type { StartOptions } from "../../protocol/guest-calls.js";
import type { Channel } from "../channel.js";
import type { Leaving } from "../leaving.js";
import { createGuestSystem } from "./wasi-system.js";
import { runWasiCommand } from "../../userland/wasi/main.js";
import type { RequireBuiltin } from "../engine-types.js";

export interface WasmTools {
  requireBuiltin: RequireBuiltin;
  channel: Channel;
  leaving: Leaving;
}

export function runWasm(
  { requireBuiltin, channel, leaving }: WasmTools,
  start: StartOptions,
): Promise<unknown> {
  const { image, argv0, argv, env, pid, uid, gid, descriptors } = start;
  // The low byte is what a parent sees; wait(2).
  const exit = (code: number): never => leaving.leave(code & 0xff);
  const system = createGuestSystem({
    requireBuiltin,
    channel: () => channel,
    exit,
    identity: () => ({ pid, uid, gid }),
    kinds: descriptors,
  });
  return runWasiCommand(system, image, argv0, argv, env).then(exit);
}
