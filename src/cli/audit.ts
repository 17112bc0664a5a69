/**
 * Owns `secure-exec audit`: a program runs in a machine that allows everything, or with the permissions that are
 * given, and what it asked for is printed, or the least permissions under which it would do the same.
 * Untrusted: the program, and so the resources it names, which are made printable.
 */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { printable } from "../sdk/errors.js";
import type { NodeRuntimeDecision } from "../sdk/option-types.js";
import type { Arguments, Flag } from "./arguments.js";
import { UsageError } from "./arguments.js";
import { attach, explanationOf } from "./attach.js";
import { makeMachine } from "./make-machine.js";
import { machineOptionsOf } from "./machine-options.js";
import { table } from "./table.js";

export const auditFlags: readonly Flag[] = [
  { name: "learn", help: "print the least permissions as JSON, for --permissions" },
  { name: "generalize", help: "fewer and wider rules, with --learn" },
  { name: "json", help: "print decisions as lines of JSON" },
  { name: "denied", help: "only what was denied, or would be" },
];

/** One row for what was asked several times. */
function rowsOf(decisions: readonly NodeRuntimeDecision[]): string[][] {
  const counts = new Map<string, { row: string[]; times: number }>();
  for (const { decision, wouldDeny, scope, operation, resource, rule } of decisions) {
    const answer = wouldDeny === true ? "would deny" : decision;
    const row = [answer, `${scope}.${operation}`, printable(resource, 120), String(rule)];
    const known = counts.get(row.join("\n"));
    if (known === undefined) counts.set(row.join("\n"), { row, times: 1 });
    else known.times++;
  }
  return [...counts.values()].map(({ row, times }) => [String(times), ...row]);
}

/** Output goes to stderr, so that stdout is the report's alone. Exit code: the program's. */
export async function audit({ given, rest, dashes }: Arguments): Promise<number> {
  const [first, ...args] = rest;
  if (first === undefined) throw new UsageError("audit needs a FILE, or -- and a COMMAND");
  const learn = given.has("learn");
  const options = machineOptionsOf(given);
  const { permissions = {} } = options;
  if (learn && options.permissions !== undefined)
    throw new UsageError("--learn allows everything; it cannot be combined with permissions");
  const open = options.permissions === undefined ? { mode: "dry-run" as const } : {};
  const rt = await makeMachine({
    ...options,
    permissions: learn ? "learn" : { ...open, ...(permissions as object) },
    audit: { all: true, entries: 10_000 },
  });
  try {
    const code = await attach(
      ({ onStderr, env }) => {
        const how = { onStdout: onStderr, onStderr, env };
        if (dashes === 0) return rt.spawnCommand(first, args, how);
        return rt.spawn(readFileSync(first, "utf8"), { ...how, args, name: basename(first) });
      },
      { tty: false, explain: explanationOf },
    );
    if (learn) {
      const learned = await rt.learnedPermissions({ generalize: given.has("generalize") });
      process.stdout.write(`${JSON.stringify(learned, null, 2)}\n`);
      return code;
    }
    const all = await rt.audit();
    const shown = given.has("denied")
      ? all.filter(({ decision, wouldDeny }) => decision === "deny" || wouldDeny === true)
      : all;
    if (given.has("json"))
      process.stdout.write(shown.map((decision) => `${JSON.stringify(decision)}\n`).join(""));
    else
      process.stdout.write(
        table([["TIMES", "DECISION", "OPERATION", "RESOURCE", "RULE"], ...rowsOf(shown)]),
      );
    if (all.dropped > 0) process.stderr.write(`${all.dropped} earlier decisions are not kept\n`);
    return code;
  } finally {
    await rt.dispose();
  }
}
