/**
 * Owns the events of a runtime, and the lines that DEBUG shows for each.
 *
 * Untrusted: commands, paths, hosts and names in them are the programs'.
 */
import type { End, Usage } from "../protocol/usage.js";
import { debug } from "./debug.js";
import { Emitter } from "./events.js";
import type { GuestProcess } from "./guest-process.js";
import type { NodeRuntimeListener } from "./listeners.js";
import type { NodeRuntimeDecision, NodeRuntimeLimitWarning } from "./option-types.js";

/** A program that the host started; what it starts itself is not among these events. */
export interface NodeRuntimeProcessStart {
  pid: number;
  /** The command, or `node` for the text of a program. */
  command: string;
  args: string[];
}

/** How a program ended that the host had started. */
export interface NodeRuntimeProcessEnd {
  pid: number;
  /** null where the outcome is not known. */
  exitCode: number | null;
  end: End | null;
  usage: Usage | null;
}

/** A worker of a fleet leaves, and gives its machines a while. */
export interface NodeRuntimeDraining {
  /** After so many milliseconds the machine is lost; `snapshot()` takes its files elsewhere. */
  timeoutMs: number;
}

/** What `rt.on(name, listener)` listens to, each with the arguments of its listeners. */
// oxlint-disable-next-line typescript/consistent-type-definitions -- the emitter asks for an index
export type NodeRuntimeEvents = {
  /** A program that the host started runs, */
  processStart: (program: NodeRuntimeProcessStart) => void;
  /** and has ended. */
  processEnd: (program: NodeRuntimeProcessEnd) => void;
  /** A program began to listen, */
  listen: (listener: NodeRuntimeListener) => void;
  /** and does so no more. */
  unlisten: (listener: NodeRuntimeListener) => void;
  /** The policy decided; from the first listener on. Scopes that allow everything are left out without `audit: true`. */
  decision: (decision: NodeRuntimeDecision) => void;
  /** Something came to 80 % of its limit; from the first listener on. */
  limitWarning: (warning: NodeRuntimeLimitWarning) => void;
  /** The fleet's worker that holds the machine was told to leave: it takes no new ones, and ends this one in a while. */
  draining: (notice: NodeRuntimeDraining) => void;
  /** The kernel is gone, and the machine with it. */
  lost: (error: Error) => void;
  /** `dispose` is through. */
  dispose: () => void;
};

const names = [
  "processStart",
  "processEnd",
  "listen",
  "unlisten",
  "decision",
  "limitWarning",
  "draining",
  "lost",
  "dispose",
] as const;

const words = (command: string, args: readonly string[]): string =>
  [command, ...args].map((word) => JSON.stringify(word)).join(" ");

export class RuntimeEvents extends Emitter<NodeRuntimeEvents> {
  /** `observe` is called when one of the two that the kernel sends only if asked is wanted. */
  constructor(observe: () => void) {
    super(names, (name) => {
      if (name === "decision" || name === "limitWarning") observe();
    });
  }

  /** What the kernel is to send. */
  get wanted(): { decisions: boolean; limits: boolean } {
    const used = this.used;
    return { decisions: used.includes("decision"), limits: used.includes("limitWarning") };
  }

  decided(decision: NodeRuntimeDecision): void {
    this.emit("decision", decision);
    debug("decision", () => {
      const { decision: answer, scope, operation, resource, rule, process, wouldDeny } = decision;
      const dry = wouldDeny === true ? " (would be denied)" : "";
      return `${answer}${dry} ${scope}.${operation} ${resource} by rule ${rule} for ${process.argv0} [${process.pid}]`;
    });
  }

  warned(warning: NodeRuntimeLimitWarning): void {
    this.emit("limitWarning", warning);
    debug("limit", () => {
      const { limit, observed, capacity, fillPercent } = warning;
      return `${limit}: ${observed} of ${capacity} (${fillPercent} %)`;
    });
  }

  listening(listener: NodeRuntimeListener, begins: boolean): void {
    this.emit(begins ? "listen" : "unlisten", listener);
    debug("listen", () => {
      const where = listener.path ?? `${listener.host ?? "?"}:${listener.port ?? "?"}`;
      return `${begins ? "listens" : "stopped"}: ${where} [${listener.processId}]`;
    });
  }

  draining(timeoutMs: number): void {
    this.emit("draining", { timeoutMs });
    debug("kernel", () => `the worker leaves, in ${timeoutMs} ms at the latest`);
  }

  lost(error: Error): void {
    this.emit("lost", error);
    debug("kernel", () => `lost: ${error.message}`);
  }

  /** Follows a program from its start to its end. */
  follow(guest: GuestProcess, command: string, args: string[]): void {
    const ended = (): void => {
      const { pid, end, usage } = guest;
      const tell = (exitCode: number | null): void => {
        this.emit("processEnd", { pid, exitCode, end, usage });
        debug("launch", () => `[${pid}] ended: ${exitCode ?? "unknown"} ${JSON.stringify(end)}`);
      };
      void guest.ended.then(
        (outcome) => tell(outcome.end.exitCode),
        () => tell(guest.exitCode),
      );
    };
    void guest.started.then(
      () => {
        this.emit("processStart", { pid: guest.pid, command, args });
        debug("launch", () => `[${guest.pid}] ${words(command, args)}`);
        if (guest.gone) ended();
        else guest.onGone(ended);
      },
      (error: Error) => debug("launch", () => `${words(command, args)} failed: ${error.message}`),
    );
  }
}
