/** Owns `logger`, in a machine where nobody collects logs: what it says goes to stderr with `-s`, and nowhere without. */
import { userInfo } from "node:os";
import { CommandFailure, type Command } from "../command.js";
import { openInput, readAll } from "../support/input.js";
import { parseOptions } from "../support/options.js";
import { strftime } from "../support/strftime.js";

/** <syslog.h> */
const levels = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
const facilities = "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp".split(" ");
const others: Record<string, string> = {
  error: "err",
  panic: "emerg",
  warn: "warning",
  security: "auth",
};

function priorityOf(text: string): number {
  const [first = "", second] = text.split(".");
  const facility = second === undefined ? "user" : (others[first] ?? first);
  const level = others[second ?? first] ?? second ?? first;
  const local = /^local([0-7])$/.exec(facility);
  const major = local === null ? facilities.indexOf(facility) : 16 + Number(local[1]);
  if (major < 0) throw new CommandFailure(`unknown facility name: ${first}`);
  const minor = levels.indexOf(level);
  if (minor < 0) throw new CommandFailure(`unknown priority name: ${second ?? first}`);
  return major * 8 + minor;
}

export const main: Command = (context) => {
  const options = parseOptions(context, "f:ip:st:", {
    "file=": "f",
    "id=?": "i",
    "priority=": "p",
    stderr: "s",
    "tag=": "t",
  });
  const priority = priorityOf(options.get("p") ?? "user.notice");
  const { operands } = options;
  const file = options.get("f");
  let lines = [operands.join(" ")];
  if (operands.length === 0) {
    const source = openInput(context, file ?? "-");
    lines = readAll(source).toString("utf8").replace(/\n$/, "").split("\n");
    source.close();
  }
  if (!options.has("s")) return 0;
  const tag = options.get("t") ?? context.env["LOGNAME"] ?? userInfo().username;
  const id = options.has("i") ? `[${process.pid}]` : "";
  const time = strftime("%b %e %H:%M:%S", Date.now(), false);
  for (const line of lines) context.writeError(`<${priority}>${time} ${tag}${id}: ${line}\n`);
  return 0;
};
