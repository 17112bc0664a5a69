// Which test files run together. A process costs the start of Node, and an engine for its first machine: about a second and a
// half of a processor, more than most files need for what they test. So files of one room that run on one Node share a process,
// one after the other (test-files.mjs); which ones is fixed by their names. A file that attacks, ends, measures or changes what
// others would share has a process of its own, and a reason here.
import { readFileSync, existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** More would last long at the end, and leave more behind for the last of them. */
const mostFiles = 16;

/**
 * Those that take longest begin first, or the last of them would run alone in the end; each is work enough for a process. Those that
 * mostly wait, for a lease, a beat or a collection, are among them: beside them others have the processors, and at the end nobody.
 */
export const longest = [
  "tests/userland/commands/git.test.mjs",
  "tests/programs/programs.test.mjs",
  "tests/sdk/fleet/leases.test.mjs",
  "tests/kernel/bounds.test.mjs",
  "tests/launcher/savings.test.mjs",
  "tests/ports/typescript.test.mjs",
  "tests/sdk/fleet/doctor.test.mjs",
  "tests/cli/cli.test.mjs",
  "tests/examples/examples.test.mjs",
  "tests/sdk/fleet/lost.test.mjs",
  "tests/sdk/secrets.test.mjs",
  "tests/house.test.mjs",
  "tests/sdk/heartbeat.test.mjs",
  "tests/launcher/zygote/compiled-forms.test.mjs",
  "tests/sdk/tool-values.test.mjs",
  "tests/kernel/left-over.test.mjs",
  "tests/playground/page.test.mjs",
  "tests/sdk/fleet/faults.test.mjs",
  "tests/kernel/leaks.test.mjs",
  "tests/attacks/attacks.test.mjs",
  "tests/sdk/fleet/security.test.mjs",
  "tests/playground/keyboard.test.mjs",
  "tests/protocol/structured.test.mjs",
];

const attacks = "it attacks the engine that it runs on";
const ends = "it ends, stops or floods its kernel";
const counts = "it looks at the processes below its own, or counts them";
const measures = "it measures memory or time of this process or its engine";
const cold = "it needs an engine that has just begun";
const changes = "it changes variables or the directory of this process";
const servers = "its servers and workers end with the process";

/** Files and folders, with why they share no process. */
export const alone = {
  "tests/attacks/": attacks,
  "tests/fuzz/": attacks,
  "tests/guest/host-secrets.test.mjs": changes,
  "tests/guest/kept-guests.test.mjs": counts,
  "tests/guest/rehearsal.test.mjs": cold,
  "tests/guest/worker.test.mjs": counts,
  "tests/kernel/faults.test.mjs": ends,
  "tests/kernel/fs/clone.test.mjs": measures,
  "tests/kernel/fs/mounts.test.mjs": changes,
  "tests/kernel/hostile-frames.test.mjs": ends,
  "tests/kernel/hostile.test.mjs": ends,
  "tests/kernel/left-over.test.mjs": counts,
  // The sums that it holds to nothing are those of a whole kernel.
  "tests/kernel/machine/account.test.mjs": measures,
  "tests/kernel/machines.test.mjs": measures,
  "tests/kernel/net/lookups.test.mjs": counts,
  "tests/launcher/collect-garbage.test.mjs": measures,
  "tests/launcher/frame-memory.test.mjs": measures,
  "tests/launcher/heap.test.mjs": cold,
  "tests/launcher/start.test.mjs": cold,
  "tests/playground/": servers,
  "tests/protocol/fuzz.test.mjs": measures,
  "tests/protocol/structured.test.mjs": measures,
  "tests/sandbox/cgroup-groups.test.mjs": ends,
  "tests/sandbox/descriptors.test.mjs": counts,
  "tests/sdk/dedicated-engine.test.mjs": counts,
  "tests/sdk/fleet/": servers,
  "tests/sdk/heartbeat.test.mjs": ends,
  "tests/sdk/in-parts.test.mjs": measures,
  "tests/sdk/kernels.test.mjs": counts,
  "tests/sdk/metrics.test.mjs": cold,
  "tests/sdk/output.test.mjs": counts,
  "tests/sdk/usage.test.mjs": counts,
  "tests/worker/": servers,
};

const ofEngine = /^dist\/(?:kernel|sandbox|launcher)\/(?!engine\.js$)/;
/** Whether a file, or what it imports, loads modules that only the engine can. */
export function needsEngine(file, seen = new Set()) {
  if (seen.has(file)) return false;
  seen.add(file);
  const text = readFileSync(join(root, file), "utf8");
  const imports = [...text.matchAll(/^import\b[^"]*"(\.{1,2}\/[^"]+)"/gm)].map(([, name]) =>
    relative(root, join(root, dirname(file), name)),
  );
  return imports.some(
    (name) =>
      ofEngine.test(name) ||
      (name.startsWith("tests/") && existsSync(join(root, name)) && needsEngine(name, seen)),
  );
}

/** The first folder below tests/, which files have to have in common. */
export const roomOf = (file) => file.split("/").slice(0, -1).slice(0, 2).join("/");

const isAlone = (file) =>
  roomOf(file) === "tests" ||
  longest.includes(file) ||
  Object.keys(alone).some((name) => (name.endsWith("/") ? file.startsWith(name) : file === name));

/** The files of each process, in the order in which they begin; each file by itself unless `sharing`. */
export function processesOf(files, sharing = true) {
  const rooms = new Map();
  const own = [];
  for (const file of files) {
    if (!sharing || isAlone(file)) {
      own.push([file]);
      continue;
    }
    const room = `${roomOf(file)} ${needsEngine(file)}`;
    rooms.set(room, [...(rooms.get(room) ?? []), file]);
  }
  const shared = [...rooms.values()].flatMap((list) => {
    // As even as can be.
    const count = Math.ceil(list.length / mostFiles);
    const size = Math.ceil(list.length / count);
    return Array.from({ length: count }, (_, at) => list.slice(at * size, (at + 1) * size));
  });
  const rank = ([file]) => (longest.includes(file) ? longest.indexOf(file) : longest.length);
  return [...own, ...shared].sort((a, b) => rank(a) - rank(b) || b.length - a.length);
}

/** What a process of several files reported of one of them; undefined when it was not begun or not finished. */
export function verdictOn(file, said) {
  const name = file.replaceAll(/[\\/.[\]]/g, "\\$&");
  return new RegExp(`^(ok|not ok) \\d+ - ${name}(?: #.*)?$`, "m").exec(said)?.[1];
}
