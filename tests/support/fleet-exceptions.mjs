// Tests that say something about a kernel process of this host, and so nothing about a fleet.
// A file by the end of its path; a title as it begins, or "" for all of the file.
const exceptions = [
  [
    "sdk/secrets.test.mjs",
    "no process of the machine",
    "the machine's processes are not below the caller's",
  ],
  ["sdk/secrets.test.mjs", "a border that dies", "the border's process is not below the caller's"],
  [
    "sdk/commands-dir.test.mjs",
    "the host's environment names it",
    "the variable of the host names a directory of the host, not of the worker",
  ],
  [
    "sdk/runtime.test.mjs",
    "a killed kernel rejects what runs",
    "the kernel is no child of the caller; tests/sdk/fleet/lost.test.mjs kills the worker's",
  ],
  [
    "sdk/debug.test.mjs",
    "shows each decision and launch",
    "what it expects begins with the start of a kernel process",
  ],
  ["sdk/kernels.test.mjs", "", "the number of kernel processes of this host"],
  [
    "sdk/metrics.test.mjs",
    "the kernels that all share",
    "the figures of this host's kernel processes; tests/worker/metrics.test.mjs has the workers'",
  ],
  ...[
    "every thread is locked down",
    "it may have exactly its memory",
    "a lost starter fails",
    "nothing is left of it when the kernel process is killed",
  ].map((title) => [
    "sdk/dedicated-engine.test.mjs",
    title,
    "it looks for the engine's process below the caller's",
  ]),
  [
    "sdk/usage.test.mjs",
    "CPU time and peak memory",
    "it asks Linux about processes below the caller's",
  ],
];

/** Why a test is not for fleets, or undefined. */
export function exceptionOf(file, title) {
  return exceptions.find(([end, begin]) => file.endsWith(end) && title.startsWith(begin))?.[2];
}
