/**
 * Owns watching a directory of a session: a program in the machine that watches with Node's own `fs.watch`, and says
 * what has happened, one line of JSON each.
 *
 * Invariant: what happens after `watchDirectory` has resolved is told; the watcher ends with its session and with `stop`.
 * Untrusted: the lines; what is not an event is dropped.
 */
import { StringDecoder } from "node:string_decoder";
import type { Session } from "./session.js";

export type WatchEventType = "create" | "write" | "remove" | "rename" | "chmod";

export interface WatchEvent {
  type: WatchEventType;
  /** Relative to the directory. */
  name: string;
}

export interface Watch {
  stop(): Promise<void>;
  /** Resolves when the watcher has ended, of itself or by `stop`. */
  ended: Promise<void>;
}

const types: readonly string[] = ["create", "write", "remove", "rename", "chmod"];
const longestLineChars = 64 * 1024;

/** Runs in the machine: argv is the directory, and whether what is below it counts. */
const program = `
const fs = require("node:fs");
const { join } = require("node:path");
const [, directory, depth] = process.argv;
const recursive = depth === "recursive";
const stat = (name) => fs.lstatSync(join(directory, name), { throwIfNoEntry: false });
const known = new Map();
const note = (name, stats) => known.set(name, { ino: stats.ino, mode: stats.mode, mtimeMs: stats.mtimeMs, size: stats.size });
const look = (below) => {
  for (const entry of fs.readdirSync(join(directory, below), { withFileTypes: true })) {
    const name = join(below, entry.name);
    const stats = stat(name);
    if (stats !== undefined) note(name, stats);
    if (recursive && entry.isDirectory()) look(name);
  }
};
const say = (type, name) => fs.writeSync(1, JSON.stringify({ type, name }) + "\\n");
fs.watch(directory, { recursive }, (event, name) => {
  if (name === null) return;
  const before = known.get(name);
  let stats;
  try { stats = stat(name); } catch {}
  if (stats === undefined) {
    known.delete(name);
    const moved = before !== undefined && [...known].some(([, one]) => one.ino === before.ino);
    if (before !== undefined) say(moved ? "rename" : "remove", name);
    return;
  }
  note(name, stats);
  if (before === undefined) {
    say("create", name);
    if (stats.isFile() && stats.size > 0) say("write", name);
  } else if (before.mode !== stats.mode) say("chmod", name);
  else if (stats.isDirectory()) return;
  else if (event === "change" || before.mtimeMs !== stats.mtimeMs || before.size !== stats.size) say("write", name);
});
look("");
fs.writeSync(1, "ready\\n");
`;

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** Rejects where `path` is no directory. */
export async function watchDirectory(
  session: Session,
  path: string,
  options: { recursive?: boolean | undefined },
  onEvent: (event: WatchEvent) => void,
): Promise<Watch> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  let stderr = "";
  let ready: (() => void) | undefined;
  const isReady = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const take = (chunk: Uint8Array): void => {
    const lines = (rest + decoder.write(Buffer.from(chunk))).split("\n");
    rest = lines.pop()!.slice(0, longestLineChars);
    for (const line of lines) {
      if (line === "ready") ready?.();
      else {
        const event = eventOf(line);
        if (event !== undefined) onEvent(event);
      }
    }
  };
  const depth = options.recursive === true ? "recursive" : "flat";
  const command = `exec node -e ${quoted(program)} ${quoted(session.resolve(path))} ${depth}`;
  const watcher = await session.spawn(command, {
    cwd: "/",
    onStdout: take,
    onStderr: (chunk) => void (stderr = (stderr + Buffer.from(chunk).toString()).slice(-4096)),
  });
  watcher.closeStdin();
  const ended = watcher.wait().then(
    () => {},
    () => {},
  );
  const failed = ended.then(() => {
    throw new Error(`${path} cannot be watched: ${stderr.trim()}`);
  });
  await Promise.race([isReady, failed]);
  failed.catch(() => {});
  return {
    ended,
    stop: async () => {
      watcher.kill();
      await ended;
    },
  };
}

function eventOf(line: string): WatchEvent | undefined {
  try {
    const { type, name } = JSON.parse(line) as Record<string, unknown>;
    if (typeof name !== "string" || typeof type !== "string" || !types.includes(type))
      return undefined;
    return { type: type as WatchEventType, name };
  } catch {
    return undefined;
  }
}
