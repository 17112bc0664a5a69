/** Owns the options of `NodeRuntime` as callers write them, with units and defaults; how they are checked is options.ts and run-options.ts. */
import type { IsolationOptions } from "./isolation.js";
import type { OutputHook } from "./output-channel.js";
import type {
  FileProviderMount,
  HostDirectoryMount,
  NodeModulesMount,
  OverlayMount,
} from "./mounts.js";
import type { Decision } from "../protocol/decisions.js";
import type { LimitWarning } from "../protocol/host-calls.js";
import type { Permissions } from "./permissions.js";
import type { NodeRuntimeLimits } from "./limit-types.js";
import type { NodeRuntimeRunLimits } from "./limits.js";
import type { JsRuntimeOptions } from "./platform-options.js";
import { SidecarProcess } from "./sidecar-process.js";
import type { NodeRuntimeFleetOptions } from "./fleet/options.js";
import type { NodeRuntimeTemplate } from "./template.js";
import type { NodeRuntimeSnapshotSource } from "./snapshot.js";
import type { NodeRuntimeNetworkOptions } from "./network-options.js";
import type { HostToolNamespaces, HostTools } from "./tool-definitions.js";

/** Something came to 80 % of a limit; `pid` where it is one of a process or a run. */
export type NodeRuntimeLimitWarning = LimitWarning;

/** What the policy decided about one request. */
export type NodeRuntimeDecision = Decision;
export type DecisionHook = (decision: NodeRuntimeDecision) => void;

export type LimitHook = (warning: NodeRuntimeLimitWarning) => void;

/** A stage of `NodeRuntime.create`, in milliseconds. */
export interface NodeRuntimeBootTiming {
  /** The kernel process is there; the machine is made; its files are written. */
  phase: "sidecar_spawn" | "vm_create" | "vm_configure";
  /** Milliseconds that the stage took. */
  durationMs: number;
}

/** What decides a run. */
export interface NodeRuntimeDeterministic {
  /** Of everything random. */
  seed: number | string;
  /**
   * What `Date.now()` says when a program begins, in milliseconds since the epoch.
   * @default 2024-01-01T00:00:00Z
   */
  startTimeMs?: number;
}

/** What `NodeRuntime.create` makes a machine with. An option that there is not rejects with INVALID_OPTION. */
export interface NodeRuntimeCreateOptions extends JsRuntimeOptions {
  /**
   * What `snapshot()` gave, as the path of a file, bytes or a stream: its files, and its environment and working
   * directory where none is given here. `files` are written over them.
   * @default none: the base files of a machine
   */
  snapshot?: NodeRuntimeSnapshotSource;
  /**
   * Takes limits and permissions from the snapshot too, where none are given here.
   * @default false
   */
  trustSnapshot?: boolean;
  /**
   * A machine whose programs each begin in a copy of that template: with the files of its machine as they were when
   * the set-up had ended, and what else was given there. Only audit, cwd, env, files, limits, onBootTiming,
   * onDecision, onLimitWarning, permissions (narrower ones) and tools may be given beside; see docs/templates.md.
   * @default none
   */
  template?: NodeRuntimeTemplate;
  /**
   * Environment of every program, over the machine's base environment; nothing of the host's is in it.
   * @default {}
   */
  env?: Record<string, string>;
  /**
   * Working directory of every program, an absolute guest path.
   * @default `/home/user`
   */
  cwd?: string;
  /**
   * Files written before create resolves: absolute guest path → content. Parent directories are created.
   * @default none
   */
  files?: Record<string, string | Uint8Array>;
  /**
   * Directories or files of the host that programs see; read-only unless said otherwise. INVALID_OPTION where the
   * host has no such path, or the machine needs the place for itself (/, /tmp, /proc, /dev, /sys).
   * @default none
   */
  mounts?: (HostDirectoryMount | OverlayMount | FileProviderMount)[];
  /**
   * A node_modules directory of the host, shown read-only at /tmp/node_modules or another path.
   * @default none
   */
  nodeModules?: string | NodeModulesMount;
  /**
   * A directory of the host with commands, WASI modules or scripts: shown read-only, as executable, at
   * /usr/local/sbin, where PATH looks first.
   * @default SECURE_EXEC_WASM_COMMANDS_DIR of the host, if set
   */
  commandsDir?: string;
  /**
   * Uses this kernel process instead of the shared one. It outlives the runtime.
   * @default the kernel processes that all runtimes of this process share
   */
  sidecar?: SidecarProcess;
  /**
   * How many kernel processes the host's machines may be spread over, from 1 to 64: the machine goes to the one of
   * that many that has the fewest, which is started if need be. With "auto" there is one for each 6 processors, and
   * a further one is started beside, for machines to come, when each has 4. A machine is on one for life, as are
   * its clones; what happens to another's kernel is none of its concern.
   * @default "auto"
   */
  kernels?: "auto" | number;
  /**
   * Makes the machine on a worker of a fleet instead of on this host; see docs/fleet.md.
   * @default none: it is made on this host
   */
  fleet?: NodeRuntimeFleetOptions;
  /**
   * Ports open in both directions: a program's listener there is reachable at the host's 127.0.0.1 too, and where
   * no program listens, a program's connection to localhost reaches the host's, if the network policy allows it.
   * @default []
   */
  loopbackExemptPorts?: number[];
  /**
   * Called once per stage of starting up.
   * @default none
   */
  onBootTiming?: (timing: NodeRuntimeBootTiming) => void;
  /**
   * What programs may do, merged per scope over the defaults; see docs/permissions.md.
   * @default files of the machine, its environment, its processes and commands are allowed; the network is denied,
   * and tools unless some are given
   */
  permissions?: Permissions | "dry-run" | "learn";
  /**
   * Called for every decision of the policy, once it was made; see docs/audit.md.
   * @default none
   */
  onDecision?: (decision: NodeRuntimeDecision) => void;
  /**
   * What `audit()` keeps. `true` is `{ all: true }`.
   * @default the last 1000 decisions, of scopes that deny something
   */
  audit?:
    | boolean
    | {
        /**
         * How many decisions, the last ones: 1 to 10 000.
         * @default 1000
         */
        entries?: number;
        /**
         * Also those of scopes that allow everything.
         * @default true with `onDecision`, otherwise false
         */
        all?: boolean;
      };
  /**
   * Milliseconds that a permission function may take before its request is denied.
   * @default 10 000
   */
  permissionTimeoutMs?: number;
  /**
   * Functions of the host that programs may call by name; see docs/tools.md.
   * @default none
   */
  tools?: HostTools | HostToolNamespaces;
  /**
   * The older name of `tools`.
   * @default none
   */
  bindings?: HostTools | HostToolNamespaces;
  /**
   * A later name of `tools`.
   * @default none
   */
  hostFunctions?: HostTools | HostToolNamespaces;
  /**
   * Certificates in PEM that every program trusts beside the usual ones, as NODE_EXTRA_CA_CERTS does.
   * @default none
   */
  ca?: string | Uint8Array | readonly (string | Uint8Array)[];
  /**
   * Makes two runs of a program alike to the last byte: time, randomness and the order of what happens come from
   * these alone. One program of one process and one thread at a time; see docs/deterministic.md.
   * @default none: real time and randomness
   */
  deterministic?: NodeRuntimeDeterministic;
  /**
   * Keeps of every `run`, `exec` and `execCommand` what was asked of the host and answered, and what came out: the
   * result's `recording`, which `replay` takes. Only with `deterministic`, and without directories of the host.
   * @default false
   */
  record?: boolean;
  /**
   * Requests to certain hosts: which of them may leave, and what is added to them outside of the machine, a secret
   * say, that its programs never hold. Where they may connect at all, `permissions.network` says; see
   * docs/secrets.md.
   * @default none
   */
  network?: NodeRuntimeNetworkOptions;
  /**
   * Bounds on what the machine may use, each with its default; INVALID_OPTION names one that is out of its range.
   * @default each its own, see `NodeRuntimeLimits`
   */
  limits?: NodeRuntimeLimits;
  /**
   * Called when something comes to 80 % of its limit; see docs/limits.md.
   * @default none
   */
  onLimitWarning?: (warning: NodeRuntimeLimitWarning) => void;
  /**
   * Which engine programs get that do not say so themselves, and every `node` of the machine.
   * @default "forked"
   */
  engine?: "forked" | "dedicated";
  /**
   * Whether programs may load native addons: Node-API modules among the machine's files, and the libraries that
   * those need. They run in the program's process, behind the same walls. Linux on x64 only.
   * @default false; see docs/native-addons.md
   */
  nativeAddons?: boolean;
  /**
   * Layers between programs and the machine that must be there; see docs/isolation.md.
   * @default { require: [] }
   */
  isolation?: IsolationOptions;
  /**
   * The options of the platform in one object, in place of those beside it; see docs/platforms.md.
   * @default {}
   */
  jsRuntime?: JsRuntimeOptions & {
    /**
     * false is `timing: "coarse"`.
     * @default true
     */
    highResolutionTime?: boolean;
  };
}

/** Options of one program. */
export interface NodeRuntimeExecOptions {
  /**
   * Merged over the runtime's environment.
   * @default {}
   */
  env?: Record<string, string>;
  /**
   * Working directory; relative to the runtime's if not absolute.
   * @default the runtime's
   */
  cwd?: string;
  /**
   * Given to the program as stdin, followed by end of file.
   * @default empty
   */
  stdin?: string | Uint8Array;
  /**
   * Milliseconds after which the program is killed; its exit code is then 137, and `end.reason` "timeout".
   * INVALID_OPTION unless it is above 0; above 2147483647 (24.8 days) it is that.
   * @default never
   */
  timeout?: number;
  /**
   * The same as `timeout`.
   * @default never
   */
  timeoutMs?: number;
  /**
   * Aborting rejects the call with the signal's reason and ends the program, with SIGKILL.
   * @default none
   */
  signal?: AbortSignal;
  /**
   * Receives stdout as it is produced; a returned promise holds back more until it settles.
   * @default none
   */
  onStdout?: OutputHook;
  /**
   * The same for stderr.
   * @default none
   */
  onStderr?: OutputHook;
  /**
   * Lower limits than the machine's, for the program and all it starts; see docs/limits.md.
   * @default the machine's
   */
  limits?: NodeRuntimeRunLimits;
  /**
   * `process.argv` from index 2 on.
   * @default []
   */
  args?: string[];
  /**
   * JSX, decorators and `compilerOptions` need the package `typescript` on the host, and are COMPILER_MISSING without;
   * see docs/typescript.md.
   * @default "tsx" when `name` ends in .tsx, "ts" when it ends in .ts or .mts, otherwise "js"
   */
  language?: "js" | "ts" | "tsx";
  /**
   * Of TypeScript, as in tsconfig.json: `experimentalDecorators`, `jsxImportSource` and others.
   * @default none
   */
  compilerOptions?: Record<string, unknown>;
  /**
   * Written to this file first: a name inside /tmp, or an absolute guest path.
   * @default a text in `cwd`, and no file
   */
  name?: string;
  /**
   * "forked": from an engine that is warm, within milliseconds. "dedicated": an engine that starts for this program
   * alone, with the threads with which V8 compiles and collects garbage beside it: slower to start, as fast as
   * plain Node afterwards.
   * @default the runtime's
   */
  engine?: "forked" | "dedicated";
  /**
   * How the value of `__return` comes to `run`: as JSON, or "structured" with Map, Set, Date, BigInt, errors,
   * buffers, typed arrays, cycles and undefined, too.
   * @default "json"
   */
  encoding?: "json" | "structured";
  /**
   * Ends the program once its module has been evaluated, top-level awaits included, whatever timers, servers or
   * tool calls it left behind.
   * @default false, it ends when nothing is left, as in Node
   */
  endWhenSettled?: boolean;
}

/** The size of a terminal in characters, each from 1 to 65 535. */
export interface NodeRuntimeTerminalSize {
  /**
   * Characters of a line.
   * @default 80
   */
  cols?: number;
  /**
   * Lines.
   * @default 24
   */
  rows?: number;
}

export interface TerminalOption {
  /**
   * The program's stdin, stdout and stderr are one terminal of this size, `true` for 80 by 24. All
   * output comes to `onStdout`, `writeStdin` types, and `closeStdin` types ^D.
   */
  pty?: boolean | NodeRuntimeTerminalSize;
}

/** Options of `spawn`: those of a program, and its terminal. */
export type NodeRuntimeSpawnOptions = NodeRuntimeExecOptions & TerminalOption;
/** Options of `spawnCommand`: those of a command, and its terminal. */
export type NodeRuntimeSpawnCommandOptions = NodeRuntimeCommandOptions & TerminalOption;

/** Options of a shell, or another command, in a terminal. */
export interface NodeRuntimeShellOptions extends NodeRuntimeTerminalSize {
  /**
   * Merged over the runtime's environment.
   * @default { TERM: "xterm-256color" }
   */
  env?: Record<string, string>;
  /**
   * Working directory; relative to the runtime's if not absolute.
   * @default the runtime's
   */
  cwd?: string;
  /**
   * What runs in the terminal.
   * @default `bash`
   */
  command?: string;
  /**
   * Its arguments.
   * @default []
   */
  args?: string[];
  /**
   * Aborting ends it.
   * @default none
   */
  signal?: AbortSignal;
}

/** Options that say what a program is. */
export const programOnlyNames = [
  "args",
  "compilerOptions",
  "language",
  "name",
  "encoding",
  "endWhenSettled",
] as const;

/** Options of one command. */
export type NodeRuntimeCommandOptions = Omit<
  NodeRuntimeExecOptions,
  (typeof programOnlyNames)[number]
>;
