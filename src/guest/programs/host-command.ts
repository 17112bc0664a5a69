/**
 * Owns the process that stands in the machine for a command of the host's executor: it carries its own stdin there
 * and the command's output back, and ends as the command does.
 *
 * It decides nothing: what is run the kernel admitted and tells the host itself. When this process is gone, so
 * is the command.
 */
import { hostCommandLimits, HostCommandStep } from "../../protocol/host-commands.js";
import type { HostCommandPiece } from "../../protocol/host-commands.js";
import type { ToolFailure } from "../../protocol/tools.js";
import type { ProgramTools } from "../program.js";

/** As a shell has it for a command that could not be started. */
const notStarted = 126;

export async function runHostCommand({
  channel,
  leaving,
  requireBuiltin,
}: ProgramTools): Promise<void> {
  const fs = requireBuiltin("fs");
  const step = (name: keyof typeof HostCommandStep, data: Uint8Array): Promise<unknown> =>
    new Promise((resolve, reject) => {
      channel.callAsync("hostCommand", { step: HostCommandStep[name], data }, (result) => {
        if (typeof result === "number") return reject(new Error(`errno ${-result}`));
        const text = Buffer.from(result.json).toString("utf8");
        const answer: unknown = text === "" ? undefined : JSON.parse(text);
        if (result.ok) resolve(answer);
        else reject(new Error((answer as ToolFailure).message));
      });
    });
  const empty = new Uint8Array(0);
  const feed = (): void => {
    channel.callAsync(
      "read",
      { fd: 0, length: hostCommandLimits.pieceBytes, position: -1 },
      (result) => {
        const data = typeof result === "number" ? empty : result.data;
        const told = data.byteLength === 0 ? step("close", empty) : step("write", data).then(feed);
        // The command has ended, and wants no more of it.
        told.catch(() => {});
      },
    );
  };
  try {
    const ended = step("run", empty);
    ended.catch(() => {});
    // The first piece says that the command has been started.
    let piece = (await step("read", empty)) as HostCommandPiece;
    feed();
    while ("stream" in piece) {
      writeAll(fs, piece.stream === "stdout" ? 1 : 2, Buffer.from(piece.data, "base64"));
      piece = (await step("read", empty)) as HostCommandPiece;
    }
    if (piece.message !== undefined) fs.writeSync(2, `${piece.message}\n`);
    leaving.leave(piece.exitCode);
  } catch (error) {
    fs.writeSync(2, `${error instanceof Error ? error.message : String(error)}\n`);
    leaving.leave(notStarted);
  }
}

function writeAll(fs: typeof import("node:fs"), fd: number, data: Uint8Array): void {
  for (let at = 0; at < data.byteLength;) at += fs.writeSync(fd, data, at);
}
