/**
 * Owns how text of unknown origin is shown: as itself, with what would act on the reader's screen made visible.
 *
 * Invariants: no control character, no mark that changes the direction of text and no invisible one comes through;
 * the order in which it is read is the order in which it came. Untrusted: all of it.
 */

/** Colours and the like, which the output pane does not show: CSI sequences that end with m or K. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const styling = /\u001b\[[0-9;:]*[mK]/g;
/**
 * C0 but tab and newline, DEL, C1; marks of direction and isolation; separators that end a line; zero-width ones but the
 * joiner of emoji; the tag characters.
 */
const unseen =
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

const codePoint = (text: string): string => text.codePointAt(0)!.toString(16).toUpperCase();

/** Text of several lines. */
export function visible(text: string): string {
  return text
    .replaceAll("\r\n", "\n")
    .replaceAll(styling, "")
    .replaceAll(unseen, (found) => `\u27e8U+${codePoint(found).padStart(4, "0")}\u27e9`);
}

/** Text of one line, such as a name. */
export function visibleLine(text: string): string {
  return visible(text)
    .replaceAll("\n", "\u27e8U+000A\u27e9")
    .replaceAll("\t", "\u27e8U+0009\u27e9");
}

const units = ["bytes", "KiB", "MiB", "GiB"];

/** 1536 as "1.5 KiB". */
export function sizeText(bytes: number): string {
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const amount = bytes / 1024 ** power;
  return `${power === 0 ? amount : amount.toFixed(1)} ${units[power]}`;
}
