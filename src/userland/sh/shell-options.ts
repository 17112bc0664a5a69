/**
 * Owns the table of `shopt` options: bash 5.2's names, what is on from the start,
 * and which have no meaning here. An option without meaning cannot be switched on.
 */

type Meaning =
  /** It does what bash says. */
  | "here"
  /** It is about interactive use, where bash too would not act on it in a script. */
  | "interactive"
  /** It is not there. */
  | "missing";

interface ShellOption {
  readonly name: string;
  readonly meaning: Meaning;
  readonly on?: true;
}

const rows: readonly (readonly [Meaning, string])[] = [
  [
    "here",
    "cdable_vars dotglob execfail expand_aliases extdebug extglob failglob globskipdots* globstar inherit_errexit lastpipe localvar_unset login_shell nocaseglob nocasematch nullglob patsub_replacement* shift_verbose sourcepath* xpg_echo",
  ],
  [
    "interactive",
    "autocd cdspell checkjobs checkwinsize* cmdhist* complete_fullquote* direxpand dirspell extquote* force_fignore* globasciiranges* histappend histreedit histverify hostcomplete* huponexit interactive_comments* lithist mailwarn no_empty_cmd_completion noexpand_translation progcomp* progcomp_alias promptvars* checkhash",
  ],
  [
    "missing",
    "assoc_expand_once compat31 compat32 compat40 compat41 compat42 compat43 compat44 gnu_errfmt localvar_inherit restricted_shell varredir_close",
  ],
];

const table: ReadonlyMap<string, ShellOption> = new Map(
  rows
    .flatMap(([meaning, names]) =>
      names.split(" ").map((text): ShellOption => {
        const name = text.replace("*", "");
        return { name, meaning, ...(text.endsWith("*") && { on: true as const }) };
      }),
    )
    .map((option) => [option.name, option]),
);

/** In bash's order. */
export const shoptNames: readonly string[] = [...table.keys()].sort((a, b) => (a < b ? -1 : 1));

export const shoptDefaults: readonly string[] = shoptNames.filter((name) => table.get(name)!.on);

export function isShopt(name: string): boolean {
  return table.has(name);
}

export function isMissingShopt(name: string): boolean {
  return table.get(name)?.meaning === "missing";
}
