/**
 * The typed syntax tree. It is plain data, so that a function or an asynchronous
 * list can travel to another shell process as JSON. Lists that scripts make long
 * (pipelines, `&&` chains, `elif`) are flat arrays: only nesting makes depth.
 */

export interface Word {
  readonly parts: readonly WordPart[];
  /** `name=value` where an assignment may stand; `parts` is then empty. */
  readonly assignment?: Assignment;
  /** As it was written, where something may have to print it. */
  readonly source?: string;
}

export type WordPart =
  | TextPart
  | TildePart
  | ParameterPart
  | CommandPart
  | ArithmeticPart
  | ProcessPart;

export interface TextPart {
  readonly kind: "text";
  readonly text: string;
  readonly quoted: boolean;
}

/** `~` or `~user` where it counts as a home directory. */
export interface TildePart {
  readonly kind: "tilde";
  readonly user: string;
}

export interface ParameterPart {
  readonly kind: "parameter";
  readonly name: string;
  /** `${name[index]}`; `@` and `*` are all elements. */
  readonly index?: Word | "@" | "*";
  /** `${!name…}`: the value names the parameter that is meant. */
  readonly indirect?: true;
  readonly operation?: ParameterOperation;
  readonly quoted: boolean;
}

export interface CommandPart {
  readonly kind: "command";
  readonly body: Command;
  readonly quoted: boolean;
}

/** `<(…)` and `>(…)` */
export interface ProcessPart {
  readonly kind: "process";
  readonly direction: "<" | ">";
  readonly body: Command;
}

export interface ArithmeticPart {
  readonly kind: "arithmetic";
  readonly expression: Word;
  readonly quoted: boolean;
}

export type ParameterOperation =
  | { readonly type: "length" }
  | {
      readonly type: "default" | "assign" | "error" | "alternate";
      /** With a colon, an empty value counts as unset. */
      readonly colon: boolean;
      readonly word: Word;
    }
  | {
      readonly type: "trim";
      readonly side: "prefix" | "suffix";
      readonly longest: boolean;
      readonly pattern: Word;
    }
  | {
      readonly type: "replace";
      readonly where: "first" | "all" | "prefix" | "suffix";
      readonly pattern: Word;
      readonly replacement: Word;
    }
  | { readonly type: "slice"; readonly offset: Word; readonly length?: Word }
  | {
      readonly type: "case";
      readonly change: "upper" | "lower" | "toggle";
      readonly all: boolean;
      readonly pattern: Word;
    }
  /** `${name@Q}` and its like. */
  | { readonly type: "transform"; readonly operator: string }
  /** `${!name[@]}`: the keys; `${!prefix@}`: the matching names. */
  | { readonly type: "names"; readonly star: boolean }
  | { readonly type: "bad"; readonly source: string };

export interface Assignment {
  readonly name: string;
  readonly index?: Word;
  readonly append: boolean;
  readonly value: Word | readonly ArrayElement[];
}

export interface ArrayElement {
  readonly index?: Word;
  /** `[index]+=` */
  readonly append?: boolean;
  readonly value: Word;
}

export type RedirectionOperator =
  | "<"
  | ">"
  | ">>"
  | ">|"
  | "<>"
  | "<&"
  | ">&"
  | "<<"
  | "<<<"
  | "&>"
  | "&>>";

export interface Redirection {
  readonly fd?: number;
  /** `{name}>`: the shell chooses the number and leaves it in the variable. */
  readonly fdVariable?: string;
  readonly operator: RedirectionOperator;
  /** The file, the descriptor or the text of the here-document. */
  readonly target: Word;
  /** The delimiter of a here-document, as it was written, and whether it was `<<-`. */
  readonly delimiter?: { readonly source: string; readonly stripTabs: boolean };
}

export type Command =
  | SimpleCommand
  | { readonly kind: "pipeline"; readonly commands: readonly Command[] }
  | { readonly kind: "not"; readonly command: Command }
  | { readonly kind: "time"; readonly command: Command; readonly posix: boolean }
  | {
      readonly kind: "coprocess";
      readonly name: string;
      readonly command: Command;
      readonly text: string;
    }
  | {
      readonly kind: "and-or";
      readonly first: Command;
      readonly rest: readonly { readonly operator: "&&" | "||"; readonly command: Command }[];
    }
  | { readonly kind: "list"; readonly commands: readonly Command[] }
  | { readonly kind: "background"; readonly command: Command; readonly text: string }
  | { readonly kind: "group"; readonly body: Command }
  | { readonly kind: "subshell"; readonly body: Command; readonly line: number }
  | {
      readonly kind: "redirected";
      readonly command: Command;
      readonly redirections: readonly Redirection[];
      readonly line: number;
    }
  | {
      readonly kind: "if";
      readonly clauses: readonly { readonly condition: Command; readonly body: Command }[];
      readonly otherwise?: Command;
    }
  | {
      readonly kind: "while";
      readonly until: boolean;
      readonly condition: Command;
      readonly body: Command;
    }
  | {
      readonly kind: "for";
      readonly variable: string;
      /** Absent: the positional parameters. */
      readonly words?: readonly Word[];
      readonly body: Command;
      readonly line: number;
    }
  | {
      readonly kind: "select";
      readonly variable: string;
      readonly words?: readonly Word[];
      readonly body: Command;
      readonly line: number;
    }
  | {
      readonly kind: "arithmetic-for";
      readonly initial: Word;
      readonly condition: Word;
      readonly update: Word;
      readonly body: Command;
      readonly line: number;
    }
  | {
      readonly kind: "case";
      readonly subject: Word;
      readonly items: readonly CaseItem[];
      readonly line: number;
    }
  | {
      readonly kind: "function";
      readonly name: string;
      readonly body: Command;
      readonly line: number;
    }
  | { readonly kind: "conditional"; readonly expression: Condition; readonly line: number }
  | { readonly kind: "arithmetic"; readonly expression: Word; readonly line: number };

export interface SimpleCommand {
  readonly kind: "simple";
  readonly assignments: readonly Assignment[];
  readonly words: readonly Word[];
  readonly redirections: readonly Redirection[];
  readonly line: number;
}

export interface CaseItem {
  readonly patterns: readonly Word[];
  readonly body: Command;
  /** `;;` ends, `;&` goes on with the next body, `;;&` with the next match. */
  readonly end: ";;" | ";&" | ";;&";
}

export type Condition =
  | { readonly kind: "not"; readonly operand: Condition }
  | { readonly kind: "and" | "or"; readonly operands: readonly Condition[] }
  | { readonly kind: "unary"; readonly operator: string; readonly operand: Word }
  | {
      readonly kind: "binary";
      readonly operator: string;
      readonly left: Word;
      readonly right: Word;
    };

export const emptyWord: Word = { parts: [] };

/** The file of `$(< file)`, which is the file's text without any command. */
export function fileOfSubstitution(body: Command): Redirection | undefined {
  if (body.kind !== "simple" || body.words.length + body.assignments.length > 0) return undefined;
  const [only, ...others] = body.redirections;
  return others.length === 0 && only?.operator === "<" && (only.fd ?? 0) === 0 ? only : undefined;
}

/** The text of a word without expansions, or `undefined`. */
export function literalText(word: Word): string | undefined {
  let text = "";
  for (const part of word.parts) {
    if (part.kind !== "text") return undefined;
    text += part.text;
  }
  return text;
}
