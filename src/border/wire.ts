/**
 * Owns what the border's program and the kernel say to each other, in lines of JSON; types alone, for both ends.
 */

/** What a connection is about; the first line on each of its two halves, written by the kernel. */
export interface Facts {
  /** Both halves of one connection have the same. */
  pair: number;
  /** "inside" leads to the program, "outside" to the server. */
  side: "inside" | "outside";
  /** Names, or the address, whose requests are looked into. */
  guarded: string[];
  /** Other names under which the machine knows the address. */
  others: string[];
  port: number;
}

/** May this request leave? */
export interface Question {
  pair: number;
  host: string;
  secure: boolean;
  method: string;
  path: string;
  /** Name and value in turn, as the program wrote them. */
  headers: string[];
}

export interface Addition {
  headers: [name: string, value: string][];
  query: [name: string, value: string][];
}

/** What a request gets on its way, or why it does not go. */
export type Verdict = ({ allow: true } & Addition) | { allow: false; status: number; text: string };

export interface Setting {
  authority: { certificate: string; key: string };
  /** Certificates in PEM that count beside the engine's own when servers are verified. */
  ca: readonly string[];
}

/** What the border's program writes: a question with a number of its own. */
export type Asked = Question & { ask: number };

/** What the kernel writes when it has judged. */
export type Answer = { answer: number } & Verdict;
