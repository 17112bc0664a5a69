/** Owns `id` and `groups`. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { idOf, nameTable } from "../support/files.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

interface Identity {
  uid: number;
  gid: number;
  groups: number[];
}

export const main: Command = (context) => {
  const options = parseOptions(context, "agGnruz", {
    group: "g",
    groups: "G",
    name: "n",
    real: "r",
    user: "u",
    zero: "z",
  });
  const users = nameTable(context, "passwd");
  const groupNames = nameTable(context, "group");
  const operand = options.operands[0];
  const identity = operand === undefined ? current() : lookUp(context, users, operand);
  if (context.name === "groups") {
    context.write(`${identity.groups.map((gid) => groupNames.get(gid) ?? gid).join(" ")}\n`);
    return 0;
  }
  const names = options.has("n");
  const user = names ? (users.get(identity.uid) ?? identity.uid) : identity.uid;
  const group = (gid: number) => (names ? (groupNames.get(gid) ?? gid) : gid);
  if (options.has("u")) context.write(`${user}\n`);
  else if (options.has("g")) context.write(`${group(identity.gid)}\n`);
  else if (options.has("G")) context.write(`${identity.groups.map(group).join(" ")}\n`);
  else if (names || options.has("r")) {
    throw usageFailure(context, "cannot print only names or real IDs in default format");
  } else {
    const show = (id: number, table: Map<number, string>) => {
      const name = table.get(id);
      return name === undefined ? String(id) : `${id}(${name})`;
    };
    const groups = identity.groups.map((gid) => show(gid, groupNames)).join(",");
    context.write(
      `uid=${show(identity.uid, users)} gid=${show(identity.gid, groupNames)} groups=${groups}\n`,
    );
  }
  return 0;
};

function current(): Identity {
  const gid = process.getegid!();
  const groups = [...new Set([gid, ...process.getgroups!()])];
  return { uid: process.geteuid!(), gid, groups };
}

function lookUp(context: CommandContext, users: Map<number, string>, name: string): Identity {
  const uid = idOf(users, name);
  if (uid === undefined || !users.has(uid)) {
    throw new CommandFailure(`${quoted(name)}: no such user`);
  }
  const user = users.get(uid)!;
  const lines = (file: string) =>
    context.fs
      .readFileSync(file, "utf8")
      .split("\n")
      .map((line) => line.split(":"));
  const gid = Number(lines("/etc/passwd").find((fields) => fields[0] === user)?.[3] ?? uid);
  const groups = lines("/etc/group")
    .filter((fields) => fields[3]?.split(",").includes(user))
    .map((fields) => Number(fields[2]));
  return { uid, gid, groups: [...new Set([gid, ...groups])] };
}
