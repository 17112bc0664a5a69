/**
 * Owns what the playground's server and its page say to each other: events one way, requests with their answers
 * the other. Types only; the page loads them as an empty module.
 * Untrusted: all text in an event may be a program's, and is shown as text and nothing else.
 */

/** Why a run is over, in what a person reads. */
export interface RunOutcome {
  /** Undefined where it is not known. */
  exitCode?: number;
  /** "exit", "timeout", "limit memoryBytes", "stopped" and the like. */
  reason: string;
  /** What the program returned, as JSON; cut off where it is long. */
  value?: string;
  error?: Failure;
  bill?: Bill;
}

export interface Failure {
  code: string;
  message: string;
  remedy: string;
}

/** Lines of the bill: what is counted, and how much. */
export type Bill = Readonly<Record<string, number>>;

export interface DecisionRow {
  /** Milliseconds since the epoch. */
  time: number;
  answer: "allow" | "deny" | "would deny";
  operation: string;
  resource: string;
  rule: string;
  /** Who asked. */
  by: string;
}

export interface MachineFacts {
  /** As JSON, for the editor of permissions. */
  permissions: string;
  learns: boolean;
  tools: readonly { name: string; description: string }[];
  /** Declarations of the tools as TypeScript. */
  toolTypes: string;
  /** The working directory. */
  cwd: string;
}

export type ToolState = "asks" | "runs" | "answered" | "failed";

export interface ToolCall {
  id: number;
  tool: string;
  state: ToolState;
  /** JSON, cut off where it is long. */
  input: string;
  /** JSON of the answer, or what went wrong. */
  result: string;
}

export type PlaygroundEvent =
  | { kind: "machine"; machine: MachineFacts }
  | { kind: "started"; run: number }
  | { kind: "output"; run: number; stream: "stdout" | "stderr"; text: string }
  | { kind: "ended"; run: number; outcome: RunOutcome }
  | { kind: "decisions"; rows: DecisionRow[]; skipped: number }
  | { kind: "bill"; bill: Bill }
  | { kind: "warning"; limit: string; observed: number; capacity: number }
  | { kind: "tool"; call: ToolCall }
  | { kind: "terminal"; base64: string }
  | { kind: "terminalOpened" }
  | { kind: "terminalClosed"; exitCode: number }
  /** The machine is gone. */
  | { kind: "lost"; message: string }
  /** Earlier events are not kept any more. */
  | { kind: "gap" }
  /** What follows happens now; what came was what had happened. */
  | { kind: "live" };

export interface FileEntry {
  name: string;
  type: string;
}

/** Requests by name: what is asked, and what is answered. */
export interface PlaygroundRequests {
  example: [Record<string, never>, { name: string; source: string }];
  run: [
    { source: string; language: "js" | "ts"; stdin: string; timeoutMs: number },
    { run: number },
  ];
  stop: [Record<string, never>, Record<string, never>];
  /** A new machine in the place of the present one. */
  machine: [{ permissions: string; learns: boolean }, Record<string, never>];
  learned: [{ generalize: boolean }, { permissions: string }];
  openTerminal: [{ cols: number; rows: number }, Record<string, never>];
  type: [{ text: string }, Record<string, never>];
  resize: [{ cols: number; rows: number }, Record<string, never>];
  closeTerminal: [Record<string, never>, Record<string, never>];
  list: [{ path: string }, { entries: FileEntry[]; more: number }];
  read: [{ path: string }, { text: string; bytes: number; isText: boolean }];
  write: [{ path: string; text: string }, Record<string, never>];
  remove: [{ path: string }, Record<string, never>];
  /** Whether calls of tools wait for an answer from now on. */
  approvals: [{ ask: boolean }, Record<string, never>];
  answer: [{ id: number; approve: boolean }, Record<string, never>];
}
