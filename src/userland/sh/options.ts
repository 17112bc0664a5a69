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

/** In bash's order, which `set -o` prints; the letters of `$-` come in another one. */
const bashOptions: readonly OptionName[] = [
  { letter: "a", name: "allexport" },
  { letter: "B", name: "braceexpand" },
  { name: "emacs" },
  { letter: "e", name: "errexit" },
  { letter: "E", name: "errtrace" },
  { letter: "T", name: "functrace" },
  { letter: "h", name: "hashall" },
  { letter: "H", name: "histexpand" },
  { name: "history" },
  { name: "ignoreeof" },
  { name: "interactive-comments" },
  { letter: "k", name: "keyword" },
  { letter: "m", name: "monitor" },
  { letter: "C", name: "noclobber" },
  { letter: "n", name: "noexec" },
  { letter: "f", name: "noglob" },
  { name: "nolog" },
  { letter: "b", name: "notify" },
  { letter: "u", name: "nounset" },
  { letter: "t", name: "onecmd" },
  { letter: "P", name: "physical" },
  { name: "pipefail" },
  { name: "posix" },
  { letter: "p", name: "privileged" },
  { letter: "v", name: "verbose" },
  { name: "vi" },
  { letter: "x", name: "xtrace" },
];

export const bashOptionNames: readonly string[] = bashOptions.map(({ name }) => name);

/** Options of bash that this shell does not have: to switch one on is an error. */
export const missingOptions: ReadonlySet<string> = new Set(["keyword", "onecmd"]);

/** On in a bash that is not interactive. */
export const bashDefaults = ["braceexpand", "hashall", "interactive-comments"] as const;

const bashLetters: readonly OptionName[] = [..."abefhikmnprtuvxBCEHPTcs"].map((letter) => {
  const other = { i: "interactive", r: "restricted", c: "command", s: "stdin" }[letter];
  const name = bashOptions.find((option) => option.letter === letter)?.name ?? other;
  return { letter, name: name ?? letter };
});

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
  letters(bash: boolean): string {
    return (bash ? bashLetters : optionNames)
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

export function optionOfLetter(letter: string, bash: boolean): string | undefined {
  const table = bash ? bashOptions : optionNames;
  return table.find((option) => option.letter === letter)?.name;
}

export function isOptionName(name: string, bash: boolean): boolean {
  // `set -o posix` and its like are bash's; scripts for sh try them, too.
  return bashOptionNames.includes(name) || (!bash && optionNames.some((one) => one.name === name));
}
