/**
 * Becomes a command of the VM: `sh`, or one of the table. The process leaves with
 * the command's status.
 */
import type { StartOptions } from "../../protocol/guest-calls.js";
import type { Channel } from "../channel.js";
import type { Leaving } from "../leaving.js";
import type * as Shell from "../../userland/sh/main.js";
import type * as ShellHost from "./shell-system.js";
import type * as Runner from "../../userland/run-command.js";

const SEEK_CUR = 1;

export interface CommandTools {
  requireBuiltin(id: string): any;
  channel: Channel;
  leaving: Leaving;
  refused?: number | undefined;
}

export async function runProgramCommand(tools: CommandTools, start: StartOptions): Promise<void> {
  const argv = [start.argv0, ...start.argv];
  const code =
    start.image === "sh"
      ? await runShell(tools, start, argv)
      : // Loaded here, so that a process pays for the program it is.
        await (require("../../userland/run-command.js") as typeof Runner).runCommand(
          start.image,
          argv,
          (fd, offset) => void tools.channel.call("seek", { fd, offset, whence: SEEK_CUR }),
          // Most commands never set a terminal.
          tools.channel.isTerminal(0) || tools.channel.isTerminal(1)
            ? (require("./shell-system.js") as typeof ShellHost).createShellTerminal(tools.channel)
            : undefined,
        );
  tools.leaving.leave(code);
}

function runShell(tools: CommandTools, start: StartOptions, argv: string[]): Promise<number> {
  const { main } = require("../../userland/sh/main.js") as typeof Shell;
  const { createShellSystem } = require("./shell-system.js") as typeof ShellHost;
  return main(createShellSystem({ ...tools, start }), argv, start.env);
}
