/** Owns the ways in which bash writes a text so that a shell reads it back as it was. */

const control = /[\p{Cc}\udc80-\udcff]/u;
/** What a shell would not read as it stands: `~` counts in front, behind `=` and `:`, `#` in front. */
const special = /[\s'"\\|&;()<>!{}*[\]?^$`]|(?:^|[=:])~|^#/;

/** `'…'`, with `'\''` for a quote inside. */
export function singleQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** `$'…'`: for texts with control characters and bytes that are no characters. */
function ansiQuote(text: string): string {
  const known: Readonly<Record<string, string>> = {
    "\u0007": "\\a",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\v": "\\v",
    "\f": "\\f",
    "\r": "\\r",
    "\u001b": "\\E",
    "\\": "\\\\",
    "'": "\\'",
  };
  const octal = (code: number): string => `\\${(code & 0xff).toString(8).padStart(3, "0")}`;
  let result = "";
  for (const character of text) {
    const short = known[character];
    if (short !== undefined) result += short;
    else result += control.test(character) ? octal(character.charCodeAt(0)) : character;
  }
  return `$'${result}'`;
}

/** `${v@Q}` and `alias`. */
export function quoteAlways(text: string): string {
  return control.test(text) ? ansiQuote(text) : singleQuote(text);
}

/** As `set` prints values: nothing where nothing is needed. */
export function quoteIfNeeded(text: string): string {
  return control.test(text) || special.test(text) ? quoteAlways(text) : text;
}

/** As `set -x` prints words: control characters as they are. */
export function quoteForTrace(text: string): string {
  return text === "" || special.test(text) ? singleQuote(text) : text;
}

/** `"…"`, as `declare -p` prints values. */
export function doubleQuote(text: string): string {
  return control.test(text) ? ansiQuote(text) : `"${text.replace(/["\\$`]/g, "\\$&")}"`;
}

/** A key of an associative array, as `declare -p` prints it. */
export function quoteKey(key: string): string {
  if (control.test(key)) return ansiQuote(key);
  return special.test(key) || key === "@" ? doubleQuote(key) : key;
}

/** `printf %q`: a backslash before what is special. */
export function backslashQuote(text: string): string {
  if (text === "") return "''";
  if (control.test(text)) return ansiQuote(text);
  return text
    .replace(/[\s'"\\|&;()<>!{}*[\]?^$`,]/g, "\\$&")
    .replace(/^#/, "\\#")
    .replace(/(^|[=:])~/g, "$1\\~");
}
