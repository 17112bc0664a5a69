/** Owns `getent`: the databases under /etc, and names of hosts as the machine resolves them. */
import { lookup } from "node:dns/promises";
import type { Command, CommandContext } from "../command.js";
import { parseOptions } from "../support/options.js";
import { readText } from "../support/processes.js";

const statusUnknown = 1;
const statusMissing = 2;

/** Which fields of a line may be the key. */
const files: Record<string, { path: string; keys: number[] }> = {
  passwd: { path: "/etc/passwd", keys: [0, 2] },
  group: { path: "/etc/group", keys: [0, 2] },
  shadow: { path: "/etc/shadow", keys: [0] },
};

const services: readonly [name: string, port: number, protocol: string][] = [
  ["ftp", 21, "tcp"],
  ["ssh", 22, "tcp"],
  ["smtp", 25, "tcp"],
  ["domain", 53, "tcp"],
  ["http", 80, "tcp"],
  ["pop3", 110, "tcp"],
  ["imap2", 143, "tcp"],
  ["https", 443, "tcp"],
  ["mysql", 3306, "tcp"],
  ["postgresql", 5432, "tcp"],
  ["redis", 6379, "tcp"],
];

export const main: Command = async (context) => {
  const options = parseOptions(
    context,
    "s:i",
    { "service=": "s", "no-idn": "i" },
    { stopAtOperand: true },
  );
  const [database, ...keys] = options.operands;
  if (database === undefined) {
    context.writeError(
      "getent: wrong number of arguments\nTry `getent --help' or `getent --usage' for more information.\n",
    );
    return statusUnknown;
  }
  const file = Object.hasOwn(files, database) ? files[database] : undefined;
  if (file !== undefined) return fromFile(context, file, keys);
  switch (database) {
    case "hosts":
    case "ahosts":
    case "ahostsv4":
    case "ahostsv6":
      return hosts(context, database, keys);
    case "services":
      return fromServices(context, keys);
    case "networks":
    case "protocols":
    case "rpc":
    case "aliases":
    case "ethers":
    case "netgroup":
    case "initgroups":
      return keys.length === 0 ? 0 : statusMissing;
    default:
      context.writeError(
        `Unknown database: ${database}\nTry \`getent --help' or \`getent --usage' for more information.\n`,
      );
      return statusUnknown;
  }
};

function linesOf(context: CommandContext, path: string): string[] {
  return readText(context, path)
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
}

function fromFile(
  context: CommandContext,
  file: { path: string; keys: number[] },
  keys: string[],
): number {
  const lines = linesOf(context, file.path);
  if (keys.length === 0) {
    for (const line of lines) context.write(`${line}\n`);
    return 0;
  }
  let status = 0;
  for (const key of keys) {
    const byNumber = /^\d+$/.test(key);
    const field = byNumber ? (file.keys[1] ?? file.keys[0]!) : file.keys[0]!;
    const found = lines.find((line) => line.split(":")[field] === key);
    if (found === undefined) status = statusMissing;
    else context.write(`${found}\n`);
  }
  return status;
}

function fromServices(context: CommandContext, keys: string[]): number {
  const show = ([name, port, protocol]: (typeof services)[number]) =>
    context.write(`${name.padEnd(21)} ${port}/${protocol}\n`);
  if (keys.length === 0) services.forEach(show);
  let status = 0;
  for (const key of keys) {
    const word = key.split("/")[0];
    const found = services.find(([name, port]) => name === word || String(port) === word);
    if (found === undefined) status = statusMissing;
    else show(found);
  }
  return status;
}

async function hosts(context: CommandContext, database: string, keys: string[]): Promise<number> {
  if (keys.length === 0) {
    for (const line of linesOf(context, "/etc/hosts")) {
      const [address = "", ...names] = line.trim().split(/\s+/);
      context.write(`${address.padEnd(15)} ${names.join(" ")}\n`);
    }
    return 0;
  }
  let status = 0;
  for (const key of keys) {
    try {
      const family = database === "ahostsv4" ? 4 : database === "ahostsv6" ? 6 : 0;
      const found = await lookup(key, { all: true, family });
      if (database === "hosts") {
        const six = found.filter((each) => each.family === 6);
        for (const { address } of six.length > 0 ? six : found) {
          context.write(`${address.padEnd(15)} ${key}\n`);
        }
      } else {
        found.forEach(({ address }, at) => {
          for (const kind of ["STREAM", "DGRAM", "RAW"]) {
            context.write(
              `${address.padEnd(15)} ${kind.padEnd(6)} ${at === 0 && kind === "STREAM" ? key : ""}\n`,
            );
          }
        });
      }
    } catch {
      status = statusMissing;
    }
  }
  return status;
}
