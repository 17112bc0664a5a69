/**
 * Owns what a host is told of the decisions that its policy came to, and of what a program asked
 * for in learn mode. Made by the kernel, shown by the SDK.
 */
import type { Scope } from "./permissions.js";

export interface Decision {
  /** Milliseconds since the epoch. */
  time: number;
  scope: Scope;
  operation: string;
  /** As denials name it: a path, an address, a command, a variable, a tool, a process. */
  resource: string;
  decision: "allow" | "deny";
  /**
   * What decided: the index of the rule, "default" of the rule set, "function", the mode of the whole
   * scope, or "address" for one that is shut unless a rule names it.
   */
  rule: number | "default" | "function" | "allow" | "deny" | "address";
  /** What a function said. */
  reason?: string;
  /** Set in dry-run mode, where it was let through. */
  wouldDeny?: true;
  /** Who asked. */
  process: { pid: number; argv0: string };
}

/** Decisions in the order in which they were made. */
export interface DecisionList {
  decisions: Decision[];
  /** Earlier ones that are not in the list any more. */
  dropped: number;
}

/** What the kernel keeps of a machine's decisions. */
export interface AuditOptions {
  /** The last so many. */
  entries: number;
  /** Whether scopes that allow everything are asked as well, so that all is in the list. */
  all: boolean;
  /** Whether the host is told of each. */
  stream: boolean;
}

/** How a machine takes its policy: as it is, only to report what it would deny, or to find one. */
export type PolicyMode = "enforce" | "dry-run" | "learn";

/** Something that a program was allowed in learn mode, as a pattern that allows it again. */
export interface Learned {
  scope: Scope;
  operation: string;
  pattern: string;
  /** Of the network scope: it does not leave the machine. */
  inside?: true;
}

export const auditDefaults = Object.freeze({ entries: 1000, mostEntries: 10_000 });
