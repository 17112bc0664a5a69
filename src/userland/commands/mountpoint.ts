/** Owns `mountpoint`, over /proc/mounts. */
import { CommandFailure, type Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { parseOptions, usageFailure } from "../support/options.js";

/** util-linux: what is there is no mount point. */
const statusNoMount = 32;

export const main: Command = (context) => {
  const options = parseOptions(context, "qd", {
    quiet: "q",
    "fs-devno": "d",
    nofollow: "nofollow",
  });
  const [path, extra] = options.operands;
  if (path === undefined || extra !== undefined) throw usageFailure(context, "bad usage");
  const quiet = options.has("q");
  let real: string;
  try {
    real = context.fs.realpathSync(path);
  } catch (error) {
    const why = errorText(error);
    if (quiet) return 1;
    throw new CommandFailure(`${path}: ${why}`);
  }
  const mounts = context.fs
    .readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .map((line) =>
      line
        .split(" ")[1]
        ?.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8))),
    );
  const found = mounts.includes(real);
  if (!quiet) context.write(`${path} is ${found ? "" : "not "}a mountpoint\n`);
  return found ? 0 : statusNoMount;
};
