/** Owns which members of an archive the operands name. */
import { globRegex } from "../../support/glob.js";
import type { Options } from "../../support/options.js";

export class Wanted {
  readonly #rules: { name: string; glob: RegExp | undefined; found: boolean }[];

  constructor(options: Options) {
    this.#rules = options.operands.map((name) => ({
      name: name.replace(/\/+$/, ""),
      glob: options.has("wildcards") ? globRegex(name) : undefined,
      found: false,
    }));
  }

  /** Whether a member is meant: without operands each one is. */
  has(name: string): boolean {
    const bare = name.replace(/\/+$/, "");
    const rule = this.#rules.find(
      (each) => bare === each.name || name.startsWith(`${each.name}/`) || each.glob?.test(bare),
    );
    if (rule !== undefined) rule.found = true;
    return rule !== undefined || this.#rules.length === 0;
  }

  /** Names the operands that no member fitted. */
  allFound(complain: (message: string) => void): boolean {
    const missing = this.#rules.filter(({ found }) => !found);
    for (const { name } of missing) complain(`${name}: Not found in archive`);
    return missing.length === 0;
  }
}
