/**
 * Owns what SDK and kernel say to each other about requests that leave a machine through its border:
 * which hosts are looked into, what requests to them are allowed, and what is added to one.
 */

/** Requests that a host may be sent; one that any rule names gets no others. */
export interface RequestRule {
  /** A pattern of a name or address, with or without a port. */
  readonly host: string;
  /** In capitals. Default: all. */
  readonly methods?: readonly string[];
  /** Globs of the path, without the query. Default: all. */
  readonly paths?: readonly string[];
}

export interface BorderOptions {
  /** Patterns of all hosts that are looked into, those of the rules included. */
  readonly hosts: readonly string[];
  readonly rules: readonly RequestRule[];
  /** Whether the host is asked what to add. */
  readonly asks: boolean;
  /** Certificates in PEM that count beside the engine's own when servers are verified. */
  readonly ca: readonly string[];
}

/** A request that has been allowed. */
export interface OutwardRequest {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  readonly method: string;
  /** With its query, as the program wrote it. */
  readonly path: string;
  /** Name and value in turn, as the program wrote them. */
  readonly headers: readonly string[];
}

/** What it gets: instead of what the program wrote under these names. */
export interface OutwardAddition {
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly query: readonly (readonly [name: string, value: string])[];
}

export const borderLimits = Object.freeze({
  hosts: 256,
  /** Connections that go through it at a time: a process has no more sockets that wait. */
  connections: 250,
  /** One question to the kernel: head of a request, as JSON. */
  lineBytes: 256 * 1024,
  /** What the host adds, as JSON. */
  additionBytes: 64 * 1024,
  /** For the host to say what is added. */
  answerMs: 30_000,
});
