/** Owns what a sed script is once it is read: its commands, with their addresses. */
import type { PosixRegex } from "../../support/regex.js";

export type Address =
  | { kind: "line"; line: number }
  | { kind: "step"; first: number; step: number }
  | { kind: "last" }
  | { kind: "zero" }
  | { kind: "regex"; regex: PosixRegex | undefined }
  /** Only as the second address. */
  | { kind: "plus"; count: number }
  | { kind: "multiple"; of: number };

/** A piece of a replacement: text, a group, or a change of case. */
export type Piece = string | number | { change: "U" | "L" | "u" | "l" | "E" };

export interface SedCommand {
  name: string;
  first?: Address;
  second?: Address;
  negated: boolean;
  /** Text of a, i, c; label; file name. */
  text: string;
  number: number;
  /** Where `{`, b, t and T go on. */
  target: number;
  regex?: PosixRegex | undefined;
  pieces: Piece[];
  global: boolean;
  print: boolean;
  evaluate: boolean;
  file?: string;
  table?: Map<string, string>;
}

export interface SedSyntax {
  extended: boolean;
}
