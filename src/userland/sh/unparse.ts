/**
 * Owns the text of commands as bash prints them (print_cmd.c): in one line for
 * BASH_COMMAND and `jobs`, indented for `declare -f` and exported functions. Words
 * are printed as they were written.
 */
import type { Assignment, CaseItem, Command, Condition, Redirection, Word } from "./ast.js";
import { literalText } from "./ast.js";

const STEP = 4;

/** `name () { … }` as `declare -f` shows it. */
export function functionText(name: string, body: Command): string {
  return `${name} () \n${new Printer(0).functionBody(body)}\n`;
}

/** A command in one line. */
export function commandText(command: Command): string {
  return new Printer(0).command(command).replace(/;$/, "");
}

/** What the line of a loop or `case` says of itself: for `set -x` and BASH_COMMAND. */
export function headText(command: Command): string {
  switch (command.kind) {
    case "for":
    case "select":
      return `${command.kind} ${command.variable} in ${(command.words ?? [atAll]).map(wordText).join(" ")}`;
    case "case":
      return `case ${wordText(command.subject)} in`;
    default:
      return commandText(command);
  }
}

const atAll: Word = { parts: [], source: '"$@"' };

export function wordText(word: Word): string {
  return word.source ?? literalText(word) ?? "";
}

export function assignmentText({ name, index, append, value }: Assignment): string {
  const key = index === undefined ? "" : `[${wordText(index)}]`;
  const text =
    "parts" in value
      ? wordText(value)
      : `(${value
          .map((one) =>
            one.index === undefined
              ? wordText(one.value)
              : `[${wordText(one.index)}]${one.append === true ? "+" : ""}=${wordText(one.value)}`,
          )
          .join(" ")})`;
  return `${name}${key}${append ? "+" : ""}=${text}`;
}

function redirectionText(redirection: Redirection): string {
  const { delimiter, fd, fdVariable, operator, target } = redirection;
  const number =
    fdVariable === undefined ? (fd === undefined ? "" : String(fd)) : `{${fdVariable}}`;
  if (delimiter !== undefined) {
    return `${number}<<${delimiter.stripTabs ? "-" : ""}${delimiter.source}`;
  }
  const standard = operator.startsWith("<") ? "0" : "1";
  if (operator === "<&" || operator === ">&")
    return `${number || standard}${operator}${wordText(target)}`;
  return `${number}${operator} ${wordText(target)}`;
}

/** The bodies of here-documents, which follow the line. */
function documentsText(redirections: readonly Redirection[]): string {
  return redirections
    .filter(({ delimiter }) => delimiter !== undefined)
    .map(({ delimiter, target }) => {
      const end = delimiter!.source.replace(/['"\\]/g, "");
      return `\n${target.source ?? documentText(target)}${end}\n`;
    })
    .join("");
}

function documentText(target: Word): string {
  return literalText(target) ?? "";
}

function conditionText(condition: Condition): string {
  switch (condition.kind) {
    case "not":
      return `! ${conditionText(condition.operand)}`;
    case "and":
      return condition.operands.map(conditionText).join(" && ");
    case "or":
      return condition.operands.map(conditionText).join(" || ");
    case "unary":
      return `${condition.operator} ${wordText(condition.operand)}`;
    case "binary":
      return `${wordText(condition.left)} ${condition.operator} ${wordText(condition.right)}`;
  }
}

class Printer {
  /** Inside of functions lists go over lines. */
  #inFunction = 0;

  constructor(private indentation: number) {}

  #pad(): string {
    return " ".repeat(this.indentation);
  }

  #nested<T>(print: () => T): T {
    this.indentation += STEP;
    try {
      return print();
    } finally {
      this.indentation -= STEP;
    }
  }

  /** The lines of a list, each with its padding, and a `;` behind the last where one is wanted. */
  #block(body: Command, semicolon: boolean): string {
    return this.#nested(() => {
      const text = this.command(body);
      return `${this.#pad()}${text}${semicolon ? end(text) : ""}\n`;
    });
  }

  functionBody(body: Command): string {
    this.#inFunction += 1;
    try {
      const { inner, redirections } = unredirected(body);
      const content = inner.kind === "group" ? inner.body : inner;
      const behind = redirections.map((one) => ` ${redirectionText(one)}`).join("");
      const block = this.#block(content, false);
      return `${this.#pad()}{ \n${block}${this.#pad()}}${behind}`;
    } finally {
      this.#inFunction -= 1;
    }
  }

  command(command: Command): string {
    switch (command.kind) {
      case "simple":
        return this.#simple(command);
      case "pipeline":
        return command.commands.map((one) => this.command(one)).join(" | ");
      case "not":
        return `! ${this.command(command.command)}`;
      case "time":
        return `time ${command.posix ? "-p " : ""}${this.command(command.command)}`;
      case "and-or":
        return [
          this.command(command.first),
          ...command.rest.map(({ operator, command: next }) => `${operator} ${this.command(next)}`),
        ].join(" ");
      case "list":
        return this.#list(command.commands);
      case "background":
        return `${this.command(command.command)} &`;
      case "coprocess":
        return `coproc ${command.command.kind === "simple" ? "" : `${command.name} `}${this.command(command.command)}`;
      case "group":
        if (this.#inFunction > 0) {
          return `{ \n${this.#block(command.body, false)}${this.#pad()}}`;
        }
        return `{ ${this.command(command.body)}; }`;
      case "subshell":
        return `( ${this.command(command.body)} )`;
      case "redirected":
        return `${this.command(command.command)}${command.redirections.map((one) => ` ${redirectionText(one)}`).join("")}${documentsText(command.redirections)}`;
      case "conditional":
        return `[[ ${conditionText(command.expression)} ]]`;
      case "arithmetic":
        return `((${wordText(command.expression)}))`;
      case "function":
        return `function ${command.name} () \n${this.functionBody(command.body)}`;
      default:
        return this.#compound(command);
    }
  }

  #compound(
    command: Extract<
      Command,
      { kind: "if" | "while" | "for" | "select" | "arithmetic-for" | "case" }
    >,
  ): string {
    const pad = this.#pad();
    switch (command.kind) {
      case "if": {
        return `${this.#clauses(command.clauses, command.otherwise)}${pad}fi`;
      }
      case "while": {
        const word = command.until ? "until" : "while";
        const condition = this.command(command.condition);
        return `${word} ${condition}${end(condition)} do\n${this.#block(command.body, true)}${pad}done`;
      }
      case "for":
      case "select":
        return `${headText(command)};\n${pad}do\n${this.#block(command.body, true)}${pad}done`;
      case "arithmetic-for": {
        const parts = [command.initial, command.condition, command.update].map((one) =>
          wordText(one).trim(),
        );
        return `for ((${parts.join("; ")}))\n${pad}do\n${this.#block(command.body, true)}${pad}done`;
      }
      case "case":
        return `case ${wordText(command.subject)} in \n${this.#nested(() => command.items.map((item) => this.#item(item)).join(""))}${pad}esac`;
    }
  }

  #clauses(
    clauses: readonly { readonly condition: Command; readonly body: Command }[],
    otherwise: Command | undefined,
  ): string {
    const pad = this.#pad();
    const [first, ...rest] = clauses;
    const condition = this.command(first!.condition);
    let text = `if ${condition}${end(condition)} then\n${this.#block(first!.body, true)}`;
    if (rest.length > 0) {
      // bash shows `elif` as an `if` inside of `else`.
      const inner = this.#nested(
        () => `${this.#pad()}${this.#clauses(rest, otherwise)}${this.#pad()}fi;\n`,
      );
      text += `${pad}else\n${inner}`;
    } else if (otherwise !== undefined) text += `${pad}else\n${this.#block(otherwise, true)}`;
    return text;
  }

  #item({ body, end: ending, patterns }: CaseItem): string {
    const pad = this.#pad();
    const empty = body.kind === "list" && body.commands.length === 0;
    const content = empty ? "\n" : this.#block(body, false);
    return `${pad}${patterns.map(wordText).join(" | ")})\n${content}${pad}${ending}\n`;
  }

  #list(commands: readonly Command[]): string {
    let text = "";
    commands.forEach((command, index) => {
      const next = this.command(command);
      if (index > 0) {
        const before = commands[index - 1]!;
        if (before.kind === "background") text += " ";
        else if (this.#inFunction > 0) text += `${end(text)}\n${this.#pad()}`;
        else text += "; ";
      }
      text += next;
    });
    return text;
  }

  #simple(command: Extract<Command, { kind: "simple" }>): string {
    const words = [
      ...command.assignments.map(assignmentText),
      ...command.words.map((word) =>
        word.source === undefined && word.assignment !== undefined
          ? assignmentText(word.assignment)
          : wordText(word),
      ),
      ...command.redirections.map(redirectionText),
    ];
    return words.join(" ") + documentsText(command.redirections);
  }
}

/** What ends a command in front of another: a here-document and `&` have ended it already. */
function end(text: string): string {
  return /(?:^|[^\\])&$|\n$/.test(text) ? "" : ";";
}

function unredirected(body: Command): { inner: Command; redirections: readonly Redirection[] } {
  if (body.kind !== "redirected") return { inner: body, redirections: [] };
  return { inner: body.command, redirections: body.redirections };
}
