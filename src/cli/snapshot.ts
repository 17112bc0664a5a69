/**
 * Owns `secure-exec snapshot` and `restore`: a machine is made, a command may prepare it, and its files are
 * written to an archive; a machine is made of one, a command may work in it, and files are copied out of it.
 *
 * Invariants: the archive appears under its name only when it is whole; nothing is copied out after a command
 * that failed.
 * Untrusted: what the command leaves in the machine, which is in the archive as it is; an archive, whose limits
 * and permissions hold only with --trust.
 */
import { createWriteStream, renameSync, rmSync, statSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { NodeRuntimeCopyResult } from "../sdk/copy.js";
import { printable } from "../sdk/errors.js";
import type { NodeRuntime } from "../sdk/runtime.js";
import { UsageError } from "./arguments.js";
import type { Arguments, Flag, Given } from "./arguments.js";
import { attach, explanationOf } from "./attach.js";
import { makeMachine } from "./make-machine.js";
import { machineOptionsOf } from "./machine-options.js";

export const snapshotFlags: readonly Flag[] = [
  { name: "output", short: "o", value: "FILE", help: "where the archive goes (needed)" },
  {
    name: "copy",
    value: "HOST:GUEST",
    repeated: true,
    help: "copy a file or directory of the host into the machine first",
  },
];

export const restoreFlags: readonly Flag[] = [
  {
    name: "copy",
    value: "GUEST:HOST",
    repeated: true,
    help: "copy a file or directory of the machine to the host at the end",
  },
  { name: "trust", help: "take limits and permissions from the archive, where none are given" },
];

type Copied = readonly [from: string, to: string];

/** The values of --copy; `form` has a group for each side. */
function copiesOf(given: Given, form: RegExp, sides: string): Copied[] {
  return (given.get("copy") ?? []).map((text) => {
    const [, from = "", to = ""] = form.exec(text) ?? [];
    if (from === "") throw new UsageError(`--copy must be ${sides}: ${printable(text)}`);
    return [from, to] as const;
  });
}

function report({ files, bytes, skipped }: NodeRuntimeCopyResult, to: string): void {
  process.stderr.write(`copied ${files} files, ${bytes} bytes to ${to}\n`);
  for (const path of skipped) process.stderr.write(`left out ${printable(path)}\n`);
}

/** The exit code of a command in the machine; 0 where there is none. */
async function perform(rt: NodeRuntime, [command, ...args]: readonly string[]): Promise<number> {
  if (command === undefined) return 0;
  const started = (attached: object): ReturnType<typeof rt.spawnCommand> =>
    rt.spawnCommand(command, args, attached);
  return attach(started, { tty: false, explain: explanationOf });
}

export async function snapshot({ given, rest }: Arguments): Promise<number> {
  const [output] = given.get("output") ?? [];
  if (output === undefined) throw new UsageError("snapshot needs --output FILE");
  const copies = copiesOf(given, /^(.+):(\/.*)$/, "HOST:GUEST");
  const rt = await makeMachine(machineOptionsOf(given));
  const part = `${output}.part`;
  try {
    for (const [from, to] of copies) report(await rt.copyIn(from, to), to);
    const code = await perform(rt, rest);
    if (code !== 0) {
      process.stderr.write(
        `secure-exec: the command ended with ${code}; no snapshot was written\n`,
      );
      return code;
    }
    await pipeline(await rt.snapshot(), createWriteStream(part));
    renameSync(part, output);
    process.stderr.write(`wrote ${output}, ${statSync(output).size} bytes\n`);
    return 0;
  } finally {
    rmSync(part, { force: true });
    await rt.dispose();
  }
}

export async function restore({ given, rest }: Arguments): Promise<number> {
  const [archive, ...words] = rest;
  if (archive === undefined) throw new UsageError("restore needs an archive");
  if (given.has("snapshot")) throw new UsageError("restore takes its archive without --snapshot");
  const command = words[0] === "--" ? words.slice(1) : words;
  const copies = copiesOf(given, /^(\/[^:]*):(.+)$/, "GUEST:HOST");
  if (command.length === 0 && copies.length === 0)
    throw new UsageError("restore needs a COMMAND, or --copy GUEST:HOST");
  const rt = await makeMachine({
    ...machineOptionsOf(given),
    snapshot: archive,
    trustSnapshot: given.has("trust"),
  });
  try {
    const code = await perform(rt, command);
    if (code === 0) for (const [from, to] of copies) report(await rt.copyOut(from, to), to);
    else if (copies.length > 0)
      process.stderr.write(`secure-exec: the command ended with ${code}; nothing was copied\n`);
    return code;
  } finally {
    await rt.dispose();
  }
}
