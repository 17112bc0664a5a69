/**
 * Owns the table of permission scopes: what can be asked in each, what a rule's
 * patterns are called, and what holds when the host says nothing. Also the shape
 * in which policies and questions travel between SDK and kernel.
 *
 * Invariant: a `ScopePolicy` on the wire has canonical operation names only; the
 * SDK turns aliases into them, the kernel refuses anything else.
 */

export type Mode = "allow" | "deny";

interface ScopeSpec {
  /** Key of a rule's patterns. */
  readonly patterns: "paths" | "patterns";
  readonly byDefault: Mode;
  /** What may stand before an operation and a dot; the first is how denials write it. */
  readonly prefixes: readonly string[];
  /** Other names of the scope itself. */
  readonly aliases: readonly string[];
  /** Canonical operation → its other spellings. */
  readonly operations: Readonly<Record<string, readonly string[]>>;
}

export const permissionScopes = {
  fs: {
    patterns: "paths",
    byDefault: "allow",
    prefixes: ["fs"],
    aliases: [],
    operations: {
      read: [],
      write: [],
      mkdir: ["createDir", "create_dir"],
      readdir: [],
      stat: [],
      rm: [],
      rename: [],
      exists: [],
      symlink: [],
      readlink: [],
      link: [],
      chmod: [],
      chown: [],
      utimes: [],
      truncate: [],
      mount: ["mount_sensitive"],
    },
  },
  network: {
    patterns: "patterns",
    byDefault: "deny",
    prefixes: ["network"],
    aliases: [],
    /** `http` is every outgoing connection and datagram: the kernel sees those, not what is spoken over them. */
    operations: { http: ["connect", "fetch"], dns: [], listen: [] },
  },
  childProcess: {
    patterns: "patterns",
    byDefault: "allow",
    prefixes: ["child_process", "childProcess"],
    aliases: [],
    operations: { spawn: [] },
  },
  process: {
    patterns: "patterns",
    byDefault: "allow",
    prefixes: ["process"],
    aliases: [],
    operations: { kill: [], inspect: [] },
  },
  env: {
    patterns: "patterns",
    byDefault: "allow",
    prefixes: ["env"],
    aliases: [],
    operations: { read: [], write: [] },
  },
  tool: {
    patterns: "patterns",
    byDefault: "deny",
    prefixes: ["tool", "binding", "hostFunction"],
    aliases: ["binding", "hostFunction"],
    operations: { invoke: [] },
  },
} as const satisfies Record<string, ScopeSpec>;

export type Scope = keyof typeof permissionScopes;
export type Operation<S extends Scope> = keyof (typeof permissionScopes)[S]["operations"] & string;

export const scopeNames = Object.freeze(Object.keys(permissionScopes) as Scope[]);

/** The scope a name or one of its aliases stands for. */
export function scopeOf(name: string): Scope | undefined {
  return scopeNames.find(
    (scope) =>
      scope === name || (permissionScopes[scope].aliases as readonly string[]).includes(name),
  );
}

/** The canonical name of an operation in any of its spellings. */
export function operationOf(scope: Scope, name: string): string | undefined {
  const spec: ScopeSpec = permissionScopes[scope];
  const dot = name.indexOf(".");
  const bare =
    dot !== -1 && spec.prefixes.includes(name.slice(0, dot)) ? name.slice(dot + 1) : name;
  return Object.keys(spec.operations).find(
    (operation) => operation === bare || spec.operations[operation]!.includes(bare),
  );
}

/** One rule on the wire. Without a list, anything matches. */
export interface Rule {
  mode: Mode;
  operations?: string[];
  patterns?: string[];
}

export interface RuleSet {
  default: Mode;
  rules: Rule[];
}

/** "ask": a function of the host decides each request. */
export type ScopePolicy = Mode | "ask" | RuleSet;
export type Policies = Record<Scope, ScopePolicy>;

/** What a policy is asked, per scope; the host's functions get it with the older spellings added. */
export interface Requests {
  /** `path` is absolute and without links; `to` is the other name of a rename, link or symlink. */
  fs: { operation: Operation<"fs">; path: string; to?: string };
  /**
   * `hostname` is what was looked up, or the address; `address` the one that is connected to,
   * known from the first packet on. `loopback` says that nothing leaves the VM.
   */
  network: {
    operation: Operation<"network">;
    protocol: "tcp" | "udp" | "dns";
    hostname: string;
    /** Inside the kernel: the other names of the same target, and what they are aliases of. */
    names?: readonly string[];
    aliases?: readonly string[];
    /** Inside the kernel: the names a function is asked about, when that is not all of them. */
    asked?: readonly string[];
    address?: string;
    port?: number;
    loopback: boolean;
  };
  /**
   * `command` is what the guest wrote; `path` the file it was resolved to, without links; `program`
   * the program of the machine that this file is, whatever its name ("node", "sh", "cat").
   * A file that runs under another name than was written, and each interpreter of a script, is
   * put as a request of its own, whose `command` is that file.
   */
  childProcess: {
    operation: Operation<"childProcess">;
    command: string;
    path?: string;
    program?: string;
    args: string[];
    cwd: string;
    env: Record<string, string>;
  };
  /** The target's own command line is in `command`. */
  process: {
    operation: Operation<"process">;
    pid: number;
    signal?: number;
    command?: string;
  };
  env: { operation: Operation<"env">; name: string; value?: string };
  tool: { operation: Operation<"tool">; name: string };
}

export type Request = { [S in Scope]: { scope: S } & Requests[S] }[Scope];

/** One answer of a host's function. */
export interface Answer {
  allow: boolean;
  reason?: string;
}
