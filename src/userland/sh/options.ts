/** Owns the table of `set` options and their values in one environment. */

interface OptionName {
  readonly letter?: string;
  readonly name: string;
}

/** In dash's order, which `set -o` prints. */
export const optionNames: readonly OptionName[] = [
  { letter: "e", name: "errexit" },
  { letter: "f", name: "noglob" },
  { letter: "I", name: "ignoreeof" },
  { letter: "i", name: "interactive" },
  { letter: "m", name: "monitor" },
  { letter: "n", name: "noexec" },
  { letter: "s", name: "stdin" },
  { letter: "x", name: "xtrace" },
  { letter: "v", name: "verbose" },
  { letter: "V", name: "vi" },
  { letter: "E", name: "emacs" },
  { letter: "C", name: "noclobber" },
  { letter: "a", name: "allexport" },
  { letter: "b", name: "notify" },
  { letter: "u", name: "nounset" },
  { letter: "p", name: "privileged" },
  { name: "nolog" },
  { name: "debug" },
  { name: "pipefail" },
];

export class Options {
  readonly #on: Set<string>;

  constructor(on: Iterable<string> = []) {
    this.#on = new Set(on);
  }

  has(name: string): boolean {
    return this.#on.has(name);
  }

  set(name: string, on: boolean): void {
    if (on) this.#on.add(name);
    else this.#on.delete(name);
  }

  /** `$-` */
  get letters(): string {
    return optionNames
      .filter(({ letter, name }) => letter !== undefined && this.#on.has(name))
      .map(({ letter }) => letter)
      .join("");
  }

  names(): string[] {
    return [...this.#on];
  }

  clone(): Options {
    return new Options(this.#on);
  }
}

export function optionOfLetter(letter: string): string | undefined {
  return optionNames.find((option) => option.letter === letter)?.name;
}

/** bash's other spellings and options without meaning here are taken silently. */
const otherNames = new Set([
  "posix",
  "history",
  "histexpand",
  "braceexpand",
  "hashall",
  "physical",
]);

export function isOptionName(name: string): boolean {
  return otherNames.has(name) || optionNames.some((option) => option.name === name);
}
