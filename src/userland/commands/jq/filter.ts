/** Owns the tree of a jq filter: what the parser makes and the evaluator runs. */
import type { Json } from "./json.js";

export type Filter =
  | { kind: "identity" | "recurse" }
  | { kind: "literal"; value: Json }
  | { kind: "string"; format: string; parts: (string | Filter)[] }
  | { kind: "format"; name: string }
  | { kind: "index"; of: Filter; key: Filter; optional?: boolean }
  | {
      kind: "slice";
      of: Filter;
      from: Filter | undefined;
      to: Filter | undefined;
      optional?: boolean;
    }
  | { kind: "iterate"; of: Filter; optional?: boolean }
  | { kind: "pipe" | "comma" | "and" | "or" | "alternative"; left: Filter; right: Filter }
  | { kind: "binary"; operator: string; left: Filter; right: Filter }
  | { kind: "update"; operator: string; left: Filter; right: Filter }
  | { kind: "negate"; of: Filter }
  | { kind: "array"; of: Filter | undefined }
  | { kind: "object"; entries: { key: Filter; value: Filter }[] }
  | { kind: "if"; test: Filter; yes: Filter; no: Filter | undefined }
  | { kind: "try"; body: Filter; handler: Filter | undefined }
  | { kind: "reduce"; source: Filter; pattern: Pattern; initial: Filter; update: Filter }
  | {
      kind: "foreach";
      source: Filter;
      pattern: Pattern;
      initial: Filter;
      update: Filter;
      extract: Filter | undefined;
    }
  | { kind: "bind"; source: Filter; patterns: Pattern[]; body: Filter }
  | { kind: "label"; name: string; body: Filter }
  | { kind: "break"; name: string }
  | { kind: "define"; definition: Definition; body: Filter }
  | { kind: "call"; name: string; args: Filter[] }
  | { kind: "variable"; name: string };

export type Pattern =
  | { kind: "name"; name: string }
  | { kind: "list"; items: Pattern[] }
  | { kind: "object"; entries: { key: Filter; variable?: string; pattern?: Pattern }[] };

export interface Definition {
  name: string;
  parameters: string[];
  body: Filter;
}

/**
 * `?` behind an index, a slice or `[]` forgives that one step only, as in jq's grammar; behind
 * anything else, or a second time, it tries the whole term.
 */
export function optional(filter: Filter): Filter {
  const step = filter.kind === "index" || filter.kind === "slice" || filter.kind === "iterate";
  if (step && filter.optional !== true) return { ...filter, optional: true };
  return { kind: "try", body: filter, handler: undefined };
}
