/** Owns `tee`. */
import type { Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { parseOptions } from "../support/options.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "aip", { append: "a", "ignore-interrupts": "i" });
  if (options.has("i")) process.on("SIGINT", () => undefined);
  let status = 0;
  const files: { name: string; fd: number }[] = [];
  const complain = (name: string, error: unknown) => {
    context.writeError(`tee: ${name}: ${errorText(error)}\n`);
    status = 1;
  };
  for (const name of options.operands) {
    try {
      files.push({ name, fd: context.fs.openSync(name, options.has("a") ? "a" : "w") });
    } catch (error) {
      complain(name, error);
    }
  }
  for (;;) {
    const chunk = context.readInput();
    if (chunk.length === 0) return status;
    context.write(chunk);
    context.flush();
    for (const file of files.slice()) {
      try {
        for (let at = 0; at < chunk.length;) at += context.fs.writeSync(file.fd, chunk, at);
      } catch (error) {
        complain(file.name, error);
        files.splice(files.indexOf(file), 1);
      }
    }
  }
};
