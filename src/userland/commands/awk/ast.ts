/** Owns the shape of a parsed awk program. */
export type Expression =
  | { kind: "number"; value: number }
  | { kind: "string"; value: string }
  | { kind: "regex"; source: string }
  | { kind: "variable"; name: string; slot: Slot }
  | { kind: "field"; index: Expression }
  | { kind: "element"; array: string; slot: Slot; subscripts: Expression[] }
  | { kind: "assign"; operator: string; target: Target; value: Expression }
  | { kind: "condition"; test: Expression; yes: Expression; no: Expression }
  | { kind: "and"; left: Expression; right: Expression }
  | { kind: "or"; left: Expression; right: Expression }
  | { kind: "in"; subscripts: Expression[]; array: string; slot: Slot }
  | { kind: "match"; negated: boolean; left: Expression; right: Expression }
  | { kind: "binary"; operator: string; left: Expression; right: Expression }
  | { kind: "concat"; left: Expression; right: Expression }
  | { kind: "unary"; operator: string; operand: Expression }
  | { kind: "increment"; by: 1 | -1; prefix: boolean; target: Target }
  | { kind: "group"; body: Expression }
  | { kind: "call"; name: string; args: Expression[]; line: number }
  | { kind: "builtin"; name: string; args: Expression[]; line: number }
  | { kind: "getline"; from: "input" | "file" | "command"; source?: Expression; target?: Target };

export type Target = Extract<Expression, { kind: "variable" | "field" | "element" }>;

/** Where a name lives: the index of a function's parameter, or -1 for a global. */
export interface Slot {
  local: number;
}

export interface Redirect {
  kind: ">" | ">>" | "|";
  target: Expression;
}

export type Statement =
  | { kind: "expression"; value: Expression }
  | { kind: "print"; args: Expression[]; format: boolean; redirect?: Redirect }
  | { kind: "if"; test: Expression; yes: Statement; no?: Statement }
  | { kind: "while"; test: Expression; body: Statement }
  | { kind: "do"; test: Expression; body: Statement }
  | { kind: "for"; first?: Statement; test?: Expression; step?: Statement; body: Statement }
  | { kind: "each"; variable: Target; array: string; slot: Slot; body: Statement }
  | { kind: "block"; body: Statement[] }
  | { kind: "next" | "nextfile" | "break" | "continue" }
  | { kind: "exit" | "return"; value?: Expression }
  | { kind: "switch"; value: Expression; cases: Case[] }
  | { kind: "delete"; array: string; slot: Slot; subscripts?: Expression[] };

/** Without a test it is the default. What follows a body is the next case's, unless it breaks. */
export interface Case {
  test?: Expression;
  body: Statement[];
}

export interface Rule {
  pattern?: Expression;
  /** The second pattern of a range. */
  end?: Expression;
  body?: Statement;
}

export interface UserFunction {
  name: string;
  parameters: string[];
  body: Statement;
}

export interface Program {
  begin: Statement[];
  /** Around each file of the input. */
  beginFile: Statement[];
  endFile: Statement[];
  rules: Rule[];
  end: Statement[];
  functions: Map<string, UserFunction>;
}
