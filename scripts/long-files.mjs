// Files of src/ that are longer than one noun should need. `node scripts/long-files.mjs` lists them; tests/house.test.mjs
// fails for any that is not here with its reason, and for one that is here and has become short.
import { readFileSync, readdirSync } from "node:fs";

const root = new URL("../src/", import.meta.url);
export const mostLines = 400;

/** Why each is one file. */
export const reasons = {
  // Tables of data: a row or a declaration each, and little between them.
  "kernel/host-door/handlers.ts": "one row for each call of the host",
  "kernel/syscalls/fs.ts":
    "what runs each call about files, a few lines each; how is in the files beside it",
  "kernel/syscalls/table.ts": "one row for each system call",
  "protocol/host-calls.ts": "one row for each call between SDK and kernel",
  "sandbox/libc.ts": "one function of libc after the other",
  "sandbox/policy.ts": "one row for each system call of Linux",
  "sdk/errors.ts": "one row for each code",
  "sdk/option-types.ts": "one declaration for each option",
  "userland/commands/jq/builtins.ts": "one row for each native function",
  "worker/session.ts": "one row for each frame that a caller may send",
  "worker/shapes.ts": "one row for each value that a caller may send",
  // One class each whose methods share their state; what could stand alone does.
  "guest/bindings/stream-handle.ts":
    "a stream handle of the engine; what it reads and writes, records and turns are their own files",
  "guest/bindings/worker.ts": "the worker binding",
  "guest/channel.ts": "the guest's end of its socket",
  "guest/node-main.ts": "what `node` does with its command line, option by option",
  "kernel/fs/file-system.ts":
    "one method for each operation; how each is done is in the files beside it",
  "kernel/guest-door/thread.ts": "one thread's calls and events",
  "kernel/io/line-discipline.ts": "n_tty of Linux, flag by flag",
  "kernel/machine/vm.ts": "what belongs to one machine, put together",
  "kernel/net/network.ts":
    "how sockets of one machine bind, listen, connect and send; who is where is bound-ports.ts",
  "kernel/process/process.ts": "one process",
  "launcher/fork.ts": "a zygote and its guests, as the kernel process sees them",
  "launcher/pool.ts": "guests that wait",
  "ports/deepagents.ts": "one method for each of the package's interface",
  "ports/e2b/server.ts": "one server: each of its paths, a few lines",
  "ports/openai/sandbox-session.ts": "one method for each of the package's interface",
  "ports/core/session.ts": "a session of the ports: one method for each of its calls",
  "sdk/guest-fs.ts": "one method for each call of node:fs/promises, a text and a line or two",
  "sdk/guest-process.ts": "one program as the host sees it",
  "sdk/kernel-connection.ts": "the kernel process as the host sees it",
  "sdk/programs.ts": "how the programs of a runtime are started and awaited",
  "sdk/runtime.ts": "the public class: a text and a line or two for each method",
};

/** Lines of each by its name. */
export function longFiles() {
  const found = new Map();
  for (const file of readdirSync(root, { recursive: true }).map(String)) {
    if (!/\.c?ts$/.test(file)) continue;
    const lines = readFileSync(new URL(file, root), "utf8").split("\n").length - 1;
    if (lines > mostLines) found.set(file, lines);
  }
  return found;
}

if (process.argv[1] === new URL(import.meta.url).pathname)
  for (const [name, length] of [...longFiles()].sort(([, a], [, b]) => b - a))
    console.log(`${length} ${name}: ${reasons[name] ?? "NO REASON"}`);
