/**
 * /proc: the processes and the machine of one VM, as text.
 *
 * Owns: which files there are and how they are written; the facts come from a
 * `MachineView` that the VM supplies, at the moment a file is opened.
 * Invariant: everything shown is of this VM; nothing is read from the host.
 * Untrusted: arguments, environment and working directories are the guests' own
 * words; names that are looked up.
 */
import type { ResourceLimit } from "../../abi/resources.js";
import { machine } from "../../abi/machine.js";
import { rootOwner } from "./credentials.js";
import type { Inode } from "./inode.js";
import type { DirectoryEntry } from "./file-stat.js";
import {
  commandOf,
  limitsText,
  lines,
  mountInfo,
  PAGE_BYTES,
  statLine,
  statusText,
  TICKS_PER_SECOND,
} from "./proc-texts.js";
import {
  SyntheticDirectory,
  SyntheticFile,
  SyntheticLink,
  type SyntheticAttributes,
} from "./synthetic.js";

export interface DescriptorView {
  fd: number;
  /** What the link in fd/ says: an absolute path, or text such as `pipe:[7]`. */
  target: string;
}

/** What /proc shows of one process. */
export interface ProcessView {
  readonly pid: number;
  readonly ppid: number;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Absolute path of the program. */
  readonly exe: string;
  /** R running, S sleeping, T stopped, Z zombie. */
  readonly state: string;
  readonly startedAtMs: number;
  readonly uid: number;
  readonly gid: number;
  readonly umask: number;
  readonly processGroup?: number;
  readonly session?: number;
  readonly memoryBytes?: number;
  /** RLIMIT_NOFILE. */
  readonly openFilesLimit: number;
  readonly fileBytes: ResourceLimit;
  descriptors(): DescriptorView[];
}

/** Tables of sockets in /proc/net. */
export type SocketTableName = "tcp" | "tcp6" | "udp" | "udp6";

/** What /proc shows of the machine. */
export interface MachineView {
  readonly hostname: string;
  readonly startedAtMs: number;
  nowMs(): number;
  readonly memoryBytes: number;
  readonly processesLimit: number;
  process(pid: number): ProcessView | undefined;
  processes(): Iterable<ProcessView>;
  /** One line per mount, as in /proc/mounts. */
  mounts(): string;
  /** The text of /proc/net/<table>. */
  sockets(table: SocketTableName): string;
}

const DT_DIR = 4;
const DT_REG = 8;
const DT_LNK = 10;
/** Inode numbers below a process start at its pid times this. */
const INODES_PER_PROCESS = 4096;
const firstDescriptorInode = 1024;
/** A file, by what it says, or a link, by where it leads, or a directory of such. */
type Node<T> =
  | { file: (subject: T) => string; permissions?: number }
  | { link: (subject: T) => string }
  | { directory: Readonly<Record<string, Node<T>>> };

function nullEnded(texts: readonly string[]): string {
  return texts.map((text) => `${text}\0`).join("");
}

function processNodes(view: MachineView): Readonly<Record<string, Node<ProcessView>>> {
  return {
    cmdline: { file: ({ argv }) => nullEnded(argv) },
    comm: { file: (process) => lines(commandOf(process)) },
    cwd: { link: ({ cwd }) => cwd },
    environ: {
      file: ({ env }) => nullEnded(Object.entries(env).map(([name, value]) => `${name}=${value}`)),
      permissions: 0o400,
    },
    exe: { link: ({ exe }) => exe },
    cgroup: { file: () => lines("0::/") },
    limits: { file: (process) => limitsText(process, view.processesLimit) },
    mountinfo: { file: () => mountInfo(view.mounts()) },
    mounts: { file: () => view.mounts() },
    root: { link: () => "/" },
    stat: { file: (process) => statLine(process, view) },
    statm: {
      file: ({ memoryBytes = 0 }) => {
        const pages = Math.ceil(memoryBytes / PAGE_BYTES);
        return lines(`${pages} ${pages} 0 0 0 ${pages} 0`);
      },
    },
    status: { file: statusText },
  };
}

/** Sockets, and the one interface. */
function networkNodes(view: MachineView): Readonly<Record<string, Node<MachineView>>> {
  const table = (name: SocketTableName) => ({ file: () => view.sockets(name) });
  return {
    if_inet6: { file: () => lines("00000000000000000000000000000001 01 80 10 80       lo") },
    tcp: table("tcp"),
    tcp6: table("tcp6"),
    udp: table("udp"),
    udp6: table("udp6"),
  };
}

function machineNodes(view: MachineView): Readonly<Record<string, Node<MachineView>>> {
  const uptimeSeconds = (): number => Math.max(0, (view.nowMs() - view.startedAtMs) / 1000);
  const count = (): number => [...view.processes()].length;
  return {
    cpuinfo: {
      file: () =>
        lines(
          "processor\t: 0",
          "vendor_id\t: secure-exec",
          `model name\t: ${machine.cpuModel}`,
          `cpu MHz\t\t: ${machine.cpuMhz.toFixed(3)}`,
          "cpu cores\t: 1",
          "",
        ),
    },
    filesystems: { file: () => lines("nodev\ttmpfs", "nodev\tproc", "nodev\thost") },
    loadavg: {
      file: () => {
        const all = [...view.processes()];
        const last = all.reduce((most, { pid }) => Math.max(most, pid), 1);
        return lines(`0.00 0.00 0.00 1/${all.length} ${last}`);
      },
    },
    meminfo: {
      file: () => {
        const total = Math.floor(view.memoryBytes / 1024);
        let used = 0;
        for (const { memoryBytes = 0 } of view.processes()) used += Math.ceil(memoryBytes / 1024);
        const free = `${Math.max(0, total - used)} kB`.padStart(16);
        return lines(
          `MemTotal:${`${total} kB`.padStart(16)}`,
          `MemFree: ${free}`,
          `MemAvailable:${free.slice(4)}`,
          "Buffers:            0 kB",
          "Cached:             0 kB",
          "SwapTotal:          0 kB",
          "SwapFree:           0 kB",
        );
      },
    },
    mounts: { link: () => "self/mounts" },
    net: { directory: networkNodes(view) },
    stat: {
      file: () => {
        const idle = Math.round(uptimeSeconds() * TICKS_PER_SECOND);
        return lines(
          `cpu  0 0 0 ${idle} 0 0 0 0 0 0`,
          `cpu0 0 0 0 ${idle} 0 0 0 0 0 0`,
          "ctxt 0",
          `btime ${Math.floor(view.startedAtMs / 1000)}`,
          `processes ${count()}`,
          "procs_running 1",
          "procs_blocked 0",
        );
      },
    },
    sys: {
      directory: {
        kernel: {
          directory: {
            hostname: { file: () => lines(view.hostname) },
            osrelease: { file: () => lines(machine.kernelRelease) },
            ostype: { file: () => lines(machine.kernelName) },
            version: { file: () => lines(machine.kernelVersion) },
          },
        },
      },
    },
    uptime: {
      file: () => lines(`${uptimeSeconds().toFixed(2)} ${uptimeSeconds().toFixed(2)}`),
    },
    version: {
      file: () =>
        lines(
          `${machine.kernelName} version ${machine.kernelRelease} (secure-exec) ${machine.kernelVersion}`,
        ),
    },
  };
}

function typeOf(node: Node<never>): number {
  return "file" in node ? DT_REG : "link" in node ? DT_LNK : DT_DIR;
}

function listOf(nodes: Readonly<Record<string, Node<never>>>): DirectoryEntry[] {
  return Object.entries(nodes).map(([name, node]) => ({ name, type: typeOf(node) }));
}

/** The inode for a node of a table about `subject`. */
function inodeOf<T>(
  node: Node<T>,
  attributes: SyntheticAttributes,
  parent: SyntheticDirectory,
  name: string,
  subject: T,
): Inode {
  if ("file" in node) {
    const permissions = node.permissions ?? 0o444;
    return new SyntheticFile({ ...attributes, permissions }, () => node.file(subject));
  }
  if ("link" in node)
    return new SyntheticLink({ ...attributes, permissions: 0o777 }, node.link(subject));
  const { directory } = node;
  return new SyntheticDirectory({ ...attributes, permissions: 0o555 }, parent, name, {
    find: (child, _who, at) => {
      if (!Object.hasOwn(directory, child)) return undefined;
      const ino = attributes.ino * 16 + Object.keys(directory).indexOf(child);
      return inodeOf(directory[child]!, { ...attributes, ino }, at, child, subject);
    },
    list: () => listOf(directory),
  });
}

const firstMachineInode = 16;

/** The root directory of a machine's /proc. */
export function makeProc(
  view: MachineView,
  device: number,
  superblock: SyntheticAttributes["superblock"],
): SyntheticDirectory {
  const ofMachine = machineNodes(view);
  const ofProcess = processNodes(view);
  const machineNames = Object.keys(ofMachine);
  const attributes = {
    device,
    ino: 1,
    permissions: 0o555,
    ...rootOwner,
    now: view.startedAtMs,
    superblock,
  };
  return new SyntheticDirectory(attributes, undefined, "proc", {
    find(name, who, parent) {
      if (name === "self") {
        const { pid } = who;
        if (pid === undefined || view.process(pid) === undefined) return undefined;
        return new SyntheticLink({ ...attributes, ino: 2, permissions: 0o777 }, String(pid));
      }
      if (Object.hasOwn(ofMachine, name)) {
        const ino = firstMachineInode + machineNames.indexOf(name);
        return inodeOf(ofMachine[name]!, { ...attributes, ino }, parent, name, view);
      }
      if (!/^[1-9][0-9]{0,8}$/.test(name)) return undefined;
      const process = view.process(Number(name));
      if (process !== undefined && process.pid !== who.pid) superblock.inspected = process.pid;
      return process && processDirectory(process, attributes, parent, ofProcess);
    },
    list() {
      const pids = [...view.processes()].map(({ pid }) => ({ name: String(pid), type: DT_DIR }));
      return [...pids, { name: "self", type: DT_LNK }, ...listOf(ofMachine)];
    },
  });
}

function processDirectory(
  process: ProcessView,
  ofMachine: SyntheticAttributes,
  parent: SyntheticDirectory,
  nodes: Readonly<Record<string, Node<ProcessView>>>,
): SyntheticDirectory {
  const { pid, uid, gid, startedAtMs } = process;
  const base = pid * INODES_PER_PROCESS;
  const attributes = { ...ofMachine, ino: base, permissions: 0o555, uid, gid, now: startedAtMs };
  const names = Object.keys(nodes);
  return new SyntheticDirectory(attributes, parent, String(pid), {
    find(name, _who, at) {
      if (name === "fd") return descriptorDirectory(process, { ...attributes, ino: base + 1 }, at);
      if (!Object.hasOwn(nodes, name)) return undefined;
      const ino = base + 2 + names.indexOf(name);
      return inodeOf(nodes[name]!, { ...attributes, ino }, at, name, process);
    },
    list: () => [...listOf(nodes), { name: "fd", type: DT_DIR }],
  });
}

function descriptorDirectory(
  process: ProcessView,
  attributes: SyntheticAttributes,
  parent: SyntheticDirectory,
): SyntheticDirectory {
  return new SyntheticDirectory({ ...attributes, permissions: 0o500 }, parent, "fd", {
    find(name) {
      const found = process.descriptors().find(({ fd }) => String(fd) === name);
      if (found === undefined) return undefined;
      const ino = process.pid * INODES_PER_PROCESS + firstDescriptorInode + found.fd;
      return new SyntheticLink({ ...attributes, ino, permissions: 0o700 }, found.target);
    },
    list: () => process.descriptors().map(({ fd }) => ({ name: String(fd), type: DT_LNK })),
  });
}

/** The lines of /proc/mounts for file systems in the order they were mounted. */
export function mountLines(
  mounts: readonly { guestPath: string; readOnly: boolean; type: string }[],
): string {
  const escape = (path: string): string =>
    path.replace(/[\s\\]/g, (one) => `\\${one.charCodeAt(0).toString(8).padStart(3, "0")}`);
  const all = [{ guestPath: "/", readOnly: false, type: "tmpfs" }, ...mounts];
  return all
    .map(({ guestPath, readOnly, type }) => {
      const options = `${readOnly ? "ro" : "rw"},nosuid,nodev`;
      return `${type === "tmpfs" ? "root" : type} ${escape(guestPath)} ${type} ${options} 0 0\n`;
    })
    .join("");
}
