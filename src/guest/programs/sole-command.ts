/**
 * Owns the step from `sh -c command` to the command itself, before anything of the process is a shell: one
 * process and one start instead of two. The kernel judges and notes it (`exec`); this decides nothing.
 */
import { startOptionsOf } from "../names.js";
import type { StartOptions } from "../../protocol/guest-calls.js";
import type { Channel } from "../channel.js";
import type * as Sole from "../../userland/sh/sole-command.js";
import type * as ShellHost from "./shell-system.js";
import type { RequireBuiltin } from "../engine-types.js";

/** What a guest was told to be. */
export interface Order {
  readonly start: StartOptions;
  readonly source: Uint8Array;
  /** Why the one command of this shell cannot be started, as the kernel has said already: -errno. */
  readonly refused?: number;
}

interface SoleTools {
  channel: Channel;
  requireBuiltin: RequireBuiltin;
}

const noSource = new Uint8Array(0);

/** Waits, blocking, for what the guest is to be. */
export function waitForOrder(channel: Channel): Order {
  const { options, source } = channel.waitFor("start");
  return { start: startOptionsOf(options), source };
}

/** The order as it is, or the one that the kernel answers in its place. */
export function resolveOrder(tools: SoleTools, order: Order): Order {
  let current = order;
  // The text of a shell in a shell is shorter than its own.
  while (current.start.mode === "command" && current.start.image === "sh") {
    const { start } = current;
    const { soleCommand } = require("../../userland/sh/sole-command.js") as typeof Sole;
    const { createShellSystem } = require("./shell-system.js") as typeof ShellHost;
    const system = createShellSystem({ ...tools, start });
    const command = soleCommand(system, [start.argv0, ...start.argv], start.env);
    if (command === undefined) return current;
    const result = tools.channel.call("exec", { ...command });
    if (typeof result === "number") return { ...current, refused: result };
    current = { start: startOptionsOf(result.options), source: noSource };
  }
  return current;
}
