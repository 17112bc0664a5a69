/**
 * Owns which threads of this one live, as far as its own end is concerned: what they have printed by
 * then is on its way through this thread and is printed yet. Nothing in it is trusted by anybody.
 */
export interface ThreadPort {
  postMessage?(message: unknown, transfer?: unknown): void;
}

const ports = new Set<ThreadPort>();
let drainMessagePort: (port: ThreadPort) => void;

export function watchThreads(drain: (port: ThreadPort) => void): void {
  drainMessagePort = drain;
}

export function threadBegins(port: ThreadPort): void {
  ports.add(port);
}

export function threadEnded(port: ThreadPort): void {
  ports.delete(port);
}

/** Where C++ would stop and join them, after the last listener of `exit`; `onexit` of lib/internal/worker.js. */
export function drainThreads(): void {
  for (const port of ports) drainMessagePort(port);
}
