/** Owns `nohup`: the child ignores SIGHUP because this process, which stands before it, does not pass it on. */
import { spawn } from "node:child_process";
import { CommandFailure, type Command } from "../command.js";
import { codeText, errorCode } from "../support/errors.js";
import { usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const [file, ...args] = context.argv.slice(1).filter((word, at) => at > 0 || word !== "--");
  if (file === undefined) throw usageFailure(context, "missing operand", 125);
  process.on("SIGHUP", () => undefined);
  if (!context.isTerminal(1)) {
    return context.spawn(file, args).then(({ code, error }) => {
      if (error !== undefined) {
        context.writeError(`nohup: failed to run command ${quoted(file)}: ${codeText(error)}\n`);
      }
      return code;
    });
  }
  context.writeError("nohup: ignoring input and appending output to 'nohup.out'\n");
  const output = context.fs.openSync("nohup.out", "a", 0o600);
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ["ignore", output, output], env: context.env });
    child.on("error", (error) =>
      reject(
        new CommandFailure(
          `failed to run command ${quoted(file)}: ${codeText(errorCode(error) ?? "EIO")}`,
          127,
        ),
      ),
    );
    child.on("exit", (code) => resolve(code ?? 1));
  });
};
