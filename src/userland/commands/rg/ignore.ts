/** Owns which files a search of a tree leaves out: .gitignore, .ignore and .rgignore, as git reads them. */
import type { CommandContext } from "../../command.js";
import { globRegex } from "../../support/glob.js";

interface Rule {
  matches(path: string, isDirectory: boolean): boolean;
  kept: boolean;
}

/** One pattern, against paths relative to the folder that it was written in. */
export function ignoreRule(line: string, ignoreCase = false): Rule | undefined {
  let text = line.replace(/(?<!\\)[ \t]+$/, "").replace(/\r$/, "");
  if (text === "" || text.startsWith("#")) return undefined;
  const kept = text.startsWith("!");
  if (kept) text = text.slice(1);
  text = text.replace(/^\\(?=[#!])/, "");
  const directoryOnly = text.endsWith("/");
  text = text.replace(/\/+$/, "");
  const anchored = text.includes("/");
  const regex = pathGlob(text.replace(/^\//, ""), ignoreCase);
  return {
    kept,
    matches(path, isDirectory) {
      if (directoryOnly && !isDirectory) return false;
      return regex.test(anchored ? path : path.slice(path.lastIndexOf("/") + 1));
    },
  };
}

/** `**` stands for any folders. */
function pathGlob(pattern: string, ignoreCase: boolean): RegExp {
  const marked = pattern
    .split(/(\*\*\/|\/\*\*$|\*\*|\{[^{}]*\})/)
    .map((part) => {
      if (part === "**/") return "(?:.*/)?";
      if (part === "/**") return "/.*";
      if (part === "**") return ".*";
      if (/^\{.*\}$/.test(part)) {
        const choices = part.slice(1, -1).split(",");
        return `(?:${choices.map((choice) => body(choice)).join("|")})`;
      }
      return body(part);
    })
    .join("");
  return new RegExp(`^(?:${marked})$`, ignoreCase ? "isu" : "su");
}

function body(pattern: string): string {
  return globRegex(pattern, { pathname: true }).source.replace(/^\^\(\?:([^]*)\)\$$/, "$1");
}

/** The rules of a folder and of those above it. */
export class IgnoreList {
  readonly #rules: { base: string; rule: Rule }[];

  constructor(rules: { base: string; rule: Rule }[] = []) {
    this.#rules = rules;
  }

  with(base: string, text: string): IgnoreList {
    const added = text.split("\n").flatMap((line) => {
      const rule = ignoreRule(line);
      return rule === undefined ? [] : [{ base, rule }];
    });
    return added.length === 0 ? this : new IgnoreList([...this.#rules, ...added]);
  }

  /** The last rule that fits counts. */
  ignores(path: string, isDirectory: boolean): boolean {
    for (let at = this.#rules.length - 1; at >= 0; at--) {
      const { base, rule } = this.#rules[at]!;
      const relative =
        base === "" ? path : path.startsWith(`${base}/`) ? path.slice(base.length + 1) : undefined;
      if (relative !== undefined && rule.matches(relative, isDirectory)) return !rule.kept;
    }
    return false;
  }
}

export function readIgnore(context: CommandContext, path: string): string {
  try {
    return context.fs.readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
