/**
 * Owns brace expansion, which bash does before anything else: `{a,b}` and
 * `{1..9..2}` over the unquoted text of a word. Other parts go along unchanged.
 */
import type { Word, WordPart } from "./ast.js";
import { ShellError } from "./control.js";
import { limits } from "./limits.js";
import { WordBuilder } from "./scanner.js";

/** An unquoted character, or a part that braces do not look into. */
type Atom = string | WordPart;
type Atoms = readonly Atom[];

export function hasBraces(word: Word): boolean {
  return word.parts.some((part) => part.kind === "text" && !part.quoted && part.text.includes("{"));
}

export function expandBraces(word: Word): Word[] {
  const atoms = word.parts.flatMap((part): Atom[] =>
    part.kind === "text" && !part.quoted ? [...part.text] : [part],
  );
  // Looking for matching braces is quadratic in the worst case.
  return atoms.length > limits.lookAhead ? [word] : expand(atoms, 0).map(toWord);
}

function toWord(atoms: Atoms): Word {
  const builder = new WordBuilder();
  for (const atom of atoms) {
    if (typeof atom === "string") builder.text(atom, false);
    else if (atom.kind === "text") builder.text(atom.text, atom.quoted);
    else builder.part(atom);
  }
  return builder.word();
}

function checkCount(count: number): void {
  if (count > limits.braceWords) throw new ShellError("too many words from braces");
}

function expand(atoms: Atoms, depth: number): Atoms[] {
  if (depth > limits.expressionDepth) throw new ShellError("braces nested too deeply");
  let results: Atoms[] = [[]];
  const combine = (endings: readonly Atoms[]): void => {
    checkCount(results.length * endings.length);
    results = results.flatMap((start) => endings.map((end) => [...start, ...end]));
  };
  let from = 0;
  for (let at = 0; at < atoms.length; at++) {
    if (atoms[at] !== "{") continue;
    const group = findGroup(atoms, at);
    if (group === undefined) continue;
    if (at > from) combine([atoms.slice(from, at)]);
    combine(group.sequence ?? group.alternatives.flatMap((part) => expand(part, depth + 1)));
    at = group.end;
    from = group.end + 1;
  }
  if (from < atoms.length) combine([atoms.slice(from)]);
  return results;
}

interface Group {
  readonly alternatives: Atoms[];
  readonly sequence?: Atoms[] | undefined;
  readonly end: number;
}

/** The group that starts at `from`, if it ends and holds a comma or a sequence. */
function findGroup(atoms: Atoms, from: number): Group | undefined {
  const alternatives: Atoms[] = [];
  let depth = 0;
  let start = from + 1;
  for (let at = from; at < atoms.length; at++) {
    const atom = atoms[at];
    if (atom === "{") depth += 1;
    else if (atom === "," && depth === 1) {
      alternatives.push(atoms.slice(start, at));
      start = at + 1;
    } else if (atom === "}" && --depth === 0) {
      alternatives.push(atoms.slice(start, at));
      if (alternatives.length > 1) return { alternatives, end: at };
      const sequence = expandSequence(alternatives[0]!);
      return sequence === undefined ? undefined : { alternatives, sequence, end: at };
    }
  }
  return undefined;
}

function expandSequence(atoms: Atoms): Atoms[] | undefined {
  if (!atoms.every((atom) => typeof atom === "string")) return undefined;
  const match =
    /^(?:(-?\d{1,15})\.\.(-?\d{1,15})|([A-Za-z])\.\.([A-Za-z]))(?:\.\.(-?\d{1,15}))?$/.exec(
      atoms.join(""),
    );
  if (match === null) return undefined;
  const letters = match[3] !== undefined;
  const first = letters ? match[3]!.charCodeAt(0) : Number(match[1]);
  const last = letters ? match[4]!.charCodeAt(0) : Number(match[2]);
  const step = Math.abs(Number(match[5] ?? 1)) || 1;
  const count = Math.floor(Math.abs(last - first) / step) + 1;
  checkCount(count);
  const padded = !letters && /^-?0\d|\.\.-?0\d/.test(match[0]);
  const width = padded ? Math.max(match[1]!.length, match[2]!.length) : 0;
  return Array.from({ length: count }, (_, index) => {
    const value = first + (first <= last ? index * step : -index * step);
    return [...(letters ? String.fromCharCode(value) : pad(value, width))];
  });
}

function pad(value: number, width: number): string {
  const digits = String(Math.abs(value)).padStart(value < 0 ? width - 1 : width, "0");
  return value < 0 ? `-${digits}` : digits;
}
