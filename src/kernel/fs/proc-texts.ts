/**
 * What files of /proc say of one process, as text.
 *
 * Owns: the forms of stat, status, limits and mountinfo.
 * Invariant: made from what a `ProcessView` or its machine says; nothing is read from the host.
 * Untrusted: argv, and where mounts are.
 */
import type { MachineView, ProcessView } from "./proc.js";

export const TICKS_PER_SECOND = 100;
export const PAGE_BYTES = 4096;
const noCapabilities = "0".repeat(16);
const stateNames: Readonly<Record<string, string>> = {
  R: "running",
  S: "sleeping",
  T: "stopped",
  Z: "zombie",
};

export function lines(...text: (string | [name: string, value: string | number])[]): string {
  const one = (line: string | [string, string | number]): string =>
    typeof line === "string" ? line : `${line[0]}:\t${line[1]}`;
  return `${text.map(one).join("\n")}\n`;
}

export function commandOf({ argv, exe }: ProcessView): string {
  const path = argv[0] || exe;
  return path.slice(path.lastIndexOf("/") + 1).slice(0, 15);
}

export function statLine(process: ProcessView, view: MachineView): string {
  const { pid, ppid, state } = process;
  const ticks = Math.max(
    0,
    Math.round(((process.startedAtMs - view.startedAtMs) / 1000) * TICKS_PER_SECOND),
  );
  const memory = process.memoryBytes ?? 0;
  const group = process.processGroup ?? pid;
  const head = [pid, `(${commandOf(process)})`, state, ppid, group, process.session ?? group];
  // tty_nr, tpgid, flags, four fault counts, four times, priority, nice, threads, itrealvalue.
  const middle = [0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 1, 0];
  const end = [ticks, memory, Math.ceil(memory / PAGE_BYTES), "18446744073709551615"];
  return `${[...head, ...middle, ...end, ...Array.from({ length: 27 }, () => 0)].join(" ")}\n`;
}

export function statusText(process: ProcessView): string {
  const { pid, ppid, state, uid, gid } = process;
  const descriptors = process.descriptors().length;
  const group = process.processGroup ?? pid;
  const kib = Math.ceil((process.memoryBytes ?? 0) / 1024);
  return lines(
    ["Name", commandOf(process)],
    ["Umask", process.umask.toString(8).padStart(4, "0")],
    ["State", `${state} (${stateNames[state] ?? "sleeping"})`],
    ["Tgid", pid],
    ["Ngid", 0],
    ["Pid", pid],
    ["PPid", ppid],
    ["TracerPid", 0],
    ["Uid", `${uid}\t${uid}\t${uid}\t${uid}`],
    ["Gid", `${gid}\t${gid}\t${gid}\t${gid}`],
    ["FDSize", Math.max(64, 2 ** Math.ceil(Math.log2(descriptors + 1)))],
    ["Groups", `${gid} `],
    ["NStgid", pid],
    ["NSpid", pid],
    ["NSpgid", group],
    ["NSsid", process.session ?? group],
    ["VmSize", `${kib} kB`],
    ["VmRSS", `${kib} kB`],
    ["VmSwap", "0 kB"],
    ["Threads", 1],
    ["CapInh", noCapabilities],
    ["CapPrm", noCapabilities],
    ["CapEff", noCapabilities],
    ["CapBnd", noCapabilities],
    ["CapAmb", noCapabilities],
    ["NoNewPrivs", 1],
    ["Seccomp", 2],
    ["Cpus_allowed", 1],
    ["Cpus_allowed_list", 0],
    ["Mems_allowed", 1],
    ["Mems_allowed_list", 0],
  );
}

/** Soft and hard alike but for one. What no number stands for is bounded by the machine as a whole. */
export function limitsText(
  { openFilesLimit: openFiles, fileBytes }: Pick<ProcessView, "openFilesLimit" | "fileBytes">,
  processes: number,
): string {
  type Value = number | undefined;
  const rows: readonly (readonly [name: string, soft: Value, unit: string, hard?: Value])[] = [
    ["cpu time", undefined, "seconds"],
    ["file size", fileBytes.soft, "bytes", fileBytes.hard],
    ["data size", undefined, "bytes"],
    ["stack size", undefined, "bytes"],
    ["core file size", 0, "bytes", Infinity],
    ["resident set", undefined, "bytes"],
    ["processes", processes, "processes"],
    ["open files", openFiles, "files"],
    ["locked memory", 0, "bytes"],
    ["address space", undefined, "bytes"],
    ["file locks", undefined, "locks"],
    ["pending signals", undefined, "signals"],
    ["msgqueue size", 0, "bytes"],
    ["nice priority", 0, ""],
    ["realtime priority", 0, ""],
    ["realtime timeout", undefined, "us"],
  ];
  const row = (name: string, soft: string, hard: string, unit: string): string =>
    `${name.padEnd(25)} ${soft.padEnd(20)} ${hard.padEnd(20)} ${unit.padEnd(10)}`;
  return lines(
    row("Limit", "Soft Limit", "Hard Limit", "Units"),
    ...rows.map(([name, soft, unit, hard = soft]) => {
      const [softText, hardText] = [soft, hard].map((value) =>
        value === undefined || value === Infinity ? "unlimited" : String(value),
      );
      return row(`Max ${name}`, softText!, hardText!, unit);
    }),
  );
}

/** The first number of a mount; the root has it. */
const firstMount = 20;

/** The lines of mountinfo for those of mounts, whose paths are escaped in the same way. */
export function mountInfo(mounts: string): string {
  const all = mounts.split("\n").flatMap((line) => {
    const [source, path, type, options] = line.split(" ");
    return path === undefined ? [] : [{ source, path, type, options: options! }];
  });
  const holds = (outer: string, path: string): boolean =>
    outer !== path && (outer === "/" || path.startsWith(`${outer}/`));
  return lines(
    ...all.map(({ source, path, type, options }, index) => {
      let parent = -1;
      for (const [at, { path: outer }] of all.entries())
        if (holds(outer, path) && outer.length >= (all[parent]?.path.length ?? 0)) parent = at;
      // The root's own is mounted in nothing that the machine sees.
      const number = firstMount + index;
      const access = options.split(",", 1)[0]!;
      return `${number} ${parent < 0 ? 1 : firstMount + parent} 0:${number} / ${path} ${options} - ${type} ${source} ${access}`;
    }),
  );
}
