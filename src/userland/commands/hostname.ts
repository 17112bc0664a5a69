/** Owns `hostname`. */
import { hostname } from "node:os";
import { CommandFailure, type Command } from "../command.js";
import { parseOptions } from "../support/options.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "fsdiI", {
    fqdn: "f",
    long: "f",
    short: "s",
    domain: "d",
    "ip-address": "i",
    "all-ip-addresses": "I",
  });
  if (options.operands.length > 0) {
    throw new CommandFailure("you must be root to change the host name");
  }
  const name = hostname();
  if (options.has("i", "I")) context.write("127.0.0.1\n");
  else if (options.has("d")) context.write(`${name.split(".").slice(1).join(".")}\n`);
  else context.write(`${options.has("s") ? name.split(".")[0] : name}\n`);
  return 0;
};
