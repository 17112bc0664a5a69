/**
 * Becomes a command of the VM: `sh`, or one of the table. The process leaves with
 * the command's status, or is the next command.
 */
import { useExactNames } from "../names.js";
import { SEEK_CUR } from "../../abi/fcntl.js";
import type { StartOptions } from "../../protocol/guest-calls.js";
import type { Channel } from "../channel.js";
import type { Leaving } from "../leaving.js";
import type * as Shell from "../../userland/sh/main.js";
import type * as ShellHost from "./shell-system.js";
import type * as Runner from "../../userland/run-command.js";
import type { RequireBuiltin } from "../engine-types.js";
import { nextCommand } from "./next-command.js";

export interface CommandTools {
  requireBuiltin: RequireBuiltin;
  channel: Channel;
  leaving: Leaving;
  refused?: number | undefined;
}

export async function runProgramCommand(tools: CommandTools, start: StartOptions): Promise<void> {
  let { refused } = tools;
  for (;;) {
    const code = await statusOf({ ...tools, refused }, start);
    const next = await nextCommand(tools, start, code);
    if (next === undefined) return tools.leaving.leave(code);
    ({ start, refused } = next);
  }
}

/** The command's exit status. */
export function statusOf(
  tools: Omit<CommandTools, "leaving">,
  start: StartOptions,
): Promise<number> {
  const argv = [start.argv0, ...start.argv];
  useExactNames(true);
  return start.image === "sh" ? runShell(tools, start, argv) : runOther(tools, start, argv);
}

/** What commands ask of the machine that Node has no function for, but for terminals. */
export function commandMachine(channel: Channel): Runner.CommandMachine {
  return {
    seekBy(fd, delta) {
      const sought = channel.call("seek", { fd, offset: delta, whence: SEEK_CUR });
      return typeof sought === "number" ? sought : sought.position;
    },
    makeFifo(path, mode) {
      const made = channel.call("makeFifo", { path, mode });
      return typeof made === "number" ? made : 0;
    },
  };
}

function runOther(
  { channel }: Pick<CommandTools, "channel">,
  start: StartOptions,
  argv: string[],
): Promise<number> {
  // Loaded here, so that a process pays for the program it is.
  const { runCommand } = require("../../userland/run-command.js") as typeof Runner;
  return runCommand(start.image, argv, {
    ...commandMachine(channel),
    // Most commands never set a terminal.
    terminal:
      channel.isTerminal(0) || channel.isTerminal(1)
        ? (require("./shell-system.js") as typeof ShellHost).createShellTerminal(channel)
        : undefined,
  });
}

function runShell(
  tools: Omit<CommandTools, "leaving">,
  start: StartOptions,
  argv: string[],
): Promise<number> {
  const { main } = require("../../userland/sh/main.js") as typeof Shell;
  const { createShellSystem } = require("./shell-system.js") as typeof ShellHost;
  return main(createShellSystem({ ...tools, start }), argv, start.env);
}
