/**
 * Owns `flock`. The machine has no advisory locks for guests, so a lock is a file beside the locked one that
 * only one process can make; it names its holder, so that one whose holder is gone does not stay.
 */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { codeText, errorCode } from "../support/errors.js";
import { parseOptions } from "../support/options.js";

const pollMs = 20;
const statusUsage = 64;

export const main: Command = async (context) => {
  const options = parseOptions(
    context,
    "c:eE:Fnosuvw:x",
    {
      shared: "s",
      exclusive: "x",
      unlock: "u",
      nonblock: "n",
      nb: "n",
      "timeout=": "w",
      wait: "w",
      "conflict-exit-code=": "E",
      close: "o",
      "command=": "c",
      "no-fork": "F",
      verbose: "verbose",
    },
    { stopAtOperand: true, status: statusUsage },
  );
  const [file, ...words] = options.operands;
  if (file === undefined)
    throw new CommandFailure("requires file descriptor, file or directory", statusUsage);
  const command = options.has("c")
    ? ["/bin/sh", "-c", options.get("c")!]
    : words[0] === "-c" || words[0] === "--command"
      ? ["/bin/sh", "-c", words[1] ?? ""]
      : words;
  if (command.length === 0) {
    if (/^\d+$/.test(file)) {
      throw new CommandFailure(
        "locking a descriptor is not supported: give a file and a command",
        69,
      );
    }
    throw new CommandFailure("bad file descriptor: '" + file + "'", statusUsage);
  }
  if (!context.fs.existsSync(file)) context.fs.closeSync(context.fs.openSync(file, "a"));
  const lock = `${context.fs.realpathSync(file)}.flock`;
  const waitSeconds = options.has("n") ? 0 : options.has("w") ? Number(options.get("w")) : Infinity;
  if (Number.isNaN(waitSeconds))
    throw new CommandFailure(`invalid timeout value: '${options.get("w")}'`, statusUsage);
  const until = Date.now() + waitSeconds * 1000;
  while (!take(context, lock)) {
    if (Date.now() >= until) return Number(options.get("E") ?? 1);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  const [program, ...args] = command;
  try {
    const { code, error } = await context.spawn(program!, args);
    if (error !== undefined) context.writeError(`flock: ${program}: ${codeText(error)}\n`);
    return error === undefined ? code : 69;
  } finally {
    context.fs.rmSync(lock, { force: true });
  }
};

function take(context: CommandContext, lock: string): boolean {
  const { fs } = context;
  try {
    fs.writeFileSync(lock, `${process.pid}\n`, { flag: "wx" });
    return true;
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  }
  let holder = 0;
  try {
    holder = Number(fs.readFileSync(lock, "utf8"));
  } catch {
    return false;
  }
  // An empty file is being written.
  if (!(holder > 0)) return false;
  try {
    process.kill(holder, 0);
  } catch (error) {
    if (errorCode(error) === "ESRCH") fs.rmSync(lock, { force: true });
  }
  return false;
}
