/** Owns commands that run another one in a changed way: `stdbuf`, `setsid` and `script`. */
import type { Command, CommandContext } from "../command.js";
import { CommandFailure } from "../command.js";
import { codeText } from "../support/errors.js";
import { parseOptions } from "../support/options.js";
import { strftime } from "../support/strftime.js";
import { quoted } from "../support/text.js";
import { spawn } from "node:child_process";

export const main: Command = (context) => {
  if (context.name === "stdbuf") return stdbuf(context);
  return context.name === "setsid" ? setsid(context) : script(context);
};

/** Programs of the machine write when they have something: there is no buffer of libc's to change. */
async function stdbuf(context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "i:o:e:",
    { "input=": "i", "output=": "o", "error=": "e" },
    { stopAtOperand: true, status: 125 },
  );
  for (const { value } of options.list) {
    if (!/^(?:L|0|\d+[A-Za-z]*)$/.test(value))
      throw new CommandFailure(`invalid mode ${quoted(value)}`, 125);
  }
  const [file, ...args] = options.operands;
  if (file === undefined)
    throw new CommandFailure("missing operand", 125, "Try 'stdbuf --help' for more information.\n");
  const { code, error } = await context.spawn(file, args);
  if (error !== undefined)
    context.writeError(`stdbuf: failed to run command ${quoted(file)}: ${codeText(error)}\n`);
  return code;
}

function setsid(context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "cfw",
    { ctty: "c", fork: "f", wait: "w" },
    { stopAtOperand: true },
  );
  const [file, ...args] = options.operands;
  if (file === undefined)
    throw new CommandFailure(
      "no command specified",
      1,
      "Try 'setsid --help' for more information.\n",
    );
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: "inherit", env: context.env, detached: true });
    child.on("error", (error) => {
      const code = (error as NodeJS.ErrnoException).code ?? "EIO";
      context.writeError(`setsid: failed to execute ${file}: ${codeText(code)}\n`);
      resolve(code === "ENOENT" ? 127 : 126);
    });
    if (options.has("f")) {
      child.on("spawn", () => {
        child.unref();
        resolve(0);
      });
    } else child.on("close", (code, signal) => resolve(code ?? (signal === null ? 1 : 128)));
  });
}

/** Keeps what a command says in a file; without a command it would be a session at a terminal. */
function script(context: CommandContext): number {
  const options = parseOptions(context, "ac:eEfqO:B:I:T:t:", {
    append: "a",
    "command=": "c",
    return: "e",
    flush: "f",
    quiet: "q",
    "log-out=": "O",
  });
  const command = options.get("c");
  if (command === undefined) {
    throw new CommandFailure(
      "a session at a terminal cannot be recorded here: give a command with -c",
      1,
    );
  }
  const file = options.get("O") ?? options.operands[0] ?? "typescript";
  const say = (text: string) => options.has("q") || context.write(text);
  const date = () => strftime("%Y-%m-%d %H:%M:%S%z", Date.now(), false);
  say(`Script started, output log file is '${file}'.\n`);
  const { stdout, code } = context.spawnSync("/bin/sh", ["-c", `{ ${command}\n} 2>&1`], {
    capture: true,
  });
  context.write(stdout ?? new Uint8Array(0));
  const log = Buffer.concat([
    Buffer.from(`Script started on ${date()} [COMMAND="${command}" <not executed on terminal>]\n`),
    stdout ?? new Uint8Array(0),
    Buffer.from(`\nScript done on ${date()} [COMMAND_EXIT_CODE="${code}"]\n`),
  ]);
  if (options.has("a")) context.fs.appendFileSync(file, log);
  else context.fs.writeFileSync(file, log);
  say("Script done.\n");
  return options.has("e") ? code : 0;
}
