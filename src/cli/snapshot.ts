/**
 * Owns `secure-exec snapshot`: a machine is made, a command may prepare it, and its files are written to an
 * archive that `--snapshot` takes.
 *
 * Invariant: the archive appears under its name only when it is whole.
 * Untrusted: what the command leaves in the machine; it is in the archive as it is.
 */
import { createWriteStream, renameSync, rmSync, statSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { printable } from "../sdk/errors.js";
import { NodeRuntime } from "../sdk/runtime.js";
import { UsageError } from "./arguments.js";
import type { Arguments, Flag } from "./arguments.js";
import { attach, explanationOf } from "./attach.js";
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

export async function snapshot({ given, rest }: Arguments): Promise<number> {
  const [output] = given.get("output") ?? [];
  if (output === undefined) throw new UsageError("snapshot needs --output FILE");
  const copies = (given.get("copy") ?? []).map((text) => {
    const [, from = "", to = ""] = /^(.+):(\/.*)$/.exec(text) ?? [];
    if (from === "") throw new UsageError(`--copy must be HOST:GUEST: ${printable(text)}`);
    return [from, to] as const;
  });
  const rt = await NodeRuntime.create(machineOptionsOf(given));
  const part = `${output}.part`;
  try {
    for (const [from, to] of copies) {
      const { files, bytes, skipped } = await rt.copyIn(from, to);
      process.stderr.write(`copied ${files} files, ${bytes} bytes to ${to}\n`);
      for (const path of skipped) process.stderr.write(`left out ${printable(path)}\n`);
    }
    const [command, ...args] = rest;
    if (command !== undefined) {
      const started = (attached: object): ReturnType<typeof rt.spawnCommand> =>
        rt.spawnCommand(command, args, attached);
      const code = await attach(started, { tty: false, explain: explanationOf });
      if (code !== 0) {
        process.stderr.write(
          `secure-exec: the command ended with ${code}; no snapshot was written\n`,
        );
        return code;
      }
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
