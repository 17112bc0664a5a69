/** Owns reading patches: unified, context and normal diffs, git's headers, with garbage around them. */
export interface HunkLine {
  mark: " " | "+" | "-";
  /** With its newline, unless the file ends without one. */
  text: string;
}

export interface PatchHunk {
  /** As written: from 1, and the line before when there are none. */
  oldStart: number;
  newStart: number;
  oldLines: string[];
  newLines: string[];
  lines: HunkLine[];
  /** Index of the first line that it stands for. */
  expectedAt: number;
}

export interface FilePatch {
  oldName?: string;
  newName?: string;
  indexName?: string;
  mode?: number;
  hunks: PatchHunk[];
  /** Of the patch, where the hunks begin. */
  line: number;
  header: string[];
}

function hunkOf(oldStart: number, newStart: number, lines: HunkLine[]): PatchHunk {
  const oldLines = lines.filter(({ mark }) => mark !== "+").map(({ text }) => text);
  const newLines = lines.filter(({ mark }) => mark !== "-").map(({ text }) => text);
  const expectedAt = oldLines.length === 0 ? oldStart : oldStart - 1;
  return { oldStart, newStart, oldLines, newLines, lines, expectedAt };
}

/** A name ends at a tab; git quotes unusual ones. */
function nameOf(text: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"/.exec(text);
  if (quoted !== null) {
    return quoted[1]!.replace(/\\([0-7]{3}|.)/g, (_, code: string) =>
      code.length === 3
        ? String.fromCharCode(parseInt(code, 8))
        : ({ n: "\n", t: "\t" }[code] ?? code),
    );
  }
  return text
    .replace(/\t.*$/s, "")
    .replace(/ +\d{4}-\d\d-\d\d .*$/, "")
    .trimEnd();
}

class PatchReader {
  readonly patches: FilePatch[] = [];
  #at = 0;
  #header: string[] = [];
  #next: Omit<FilePatch, "hunks" | "line" | "header"> = {};
  #current: FilePatch | undefined;

  constructor(private readonly lines: string[]) {}

  read(): FilePatch[] {
    while (this.#at < this.lines.length) {
      if (!this.#hunk()) this.#garbage(this.lines[this.#at++]!);
    }
    this.#empty();
    return this.patches;
  }

  /** A file that git only made or removed, with nothing in it. */
  #empty(): void {
    const { oldName, newName } = this.#next;
    const made = oldName === "/dev/null" && newName !== undefined;
    const gone = newName === "/dev/null" && oldName !== undefined;
    if (this.#current === undefined && (made || gone)) this.#file();
  }

  #garbage(line: string): void {
    const { lines } = this;
    let match: RegExpExecArray | null;
    if ((match = /^diff --git (\S+) (\S+)/.exec(line)) !== null) {
      this.#empty();
      this.#reset();
      this.#next.oldName = nameOf(match[1]!);
      this.#next.newName = nameOf(match[2]!);
    } else if ((match = /^new file mode (\d+)/.exec(line)) !== null) {
      this.#next.oldName = "/dev/null";
      this.#next.mode = parseInt(match[1]!, 8);
    } else if (/^deleted file mode \d+/.test(line)) {
      this.#next.newName = "/dev/null";
    } else if ((match = /^new mode (\d+)/.exec(line)) !== null) {
      this.#next.mode = parseInt(match[1]!, 8);
    } else if ((match = /^Index: (.*)/.exec(line)) !== null) {
      this.#reset();
      this.#next.indexName = match[1]!.trim();
    } else if ((match = /^--- (.*)/.exec(line)) !== null && lines[this.#at]?.startsWith("+++ ")) {
      return this.#names(line, match[1]!);
    } else if (
      (match = /^\*\*\* (.*)/.exec(line)) !== null &&
      lines[this.#at]?.startsWith("--- ")
    ) {
      return this.#names(line, match[1]!);
    }
    this.#header.push(line);
  }

  /** A head of two lines: `line` with the old name, and the next one with the new. */
  #names(line: string, oldName: string): void {
    const next = this.lines[this.#at++]!;
    if (this.#current !== undefined) this.#reset();
    this.#header.push(line, next);
    this.#next.oldName = nameOf(oldName);
    this.#next.newName = nameOf(next.slice(4));
  }

  #reset(): void {
    this.#current = undefined;
    this.#next = {};
    this.#header = [];
  }

  #file(): FilePatch {
    if (this.#current === undefined) {
      this.#current = { ...this.#next, hunks: [], line: this.#at + 1, header: this.#header };
      this.patches.push(this.#current);
    }
    this.#header = [];
    return this.#current;
  }

  #hunk(): boolean {
    const line = this.lines[this.#at]!;
    let match = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(line);
    if (match !== null) {
      this.#unified(match);
      return true;
    }
    if (line.startsWith("***************") && /^\*\*\* \d/.test(this.lines[this.#at + 1] ?? "")) {
      return this.#context();
    }
    match = /^(\d+)(?:,(\d+))?([acd])(\d+)(?:,(\d+))?$/.exec(line);
    if (match !== null) return this.#normal(match);
    return false;
  }

  /** The text of a line, whose newline a note behind it may take away. */
  #text(text: string): string {
    if (this.lines[this.#at]?.startsWith("\\ ")) {
      this.#at++;
      return text;
    }
    return `${text}\n`;
  }

  #unified(match: RegExpExecArray): void {
    const file = this.#file();
    this.#at++;
    let oldLeft = Number(match[2] ?? 1);
    let newLeft = Number(match[4] ?? 1);
    const lines: HunkLine[] = [];
    while ((oldLeft > 0 || newLeft > 0) && this.#at < this.lines.length) {
      const line = this.lines[this.#at]!;
      const mark = line === "" ? " " : line[0]!;
      if (mark !== " " && mark !== "+" && mark !== "-" && mark !== "\t") break;
      this.#at++;
      const text = this.#text(mark === "\t" ? line : line.slice(1));
      const kind = mark === "\t" ? " " : mark;
      if (kind !== "+") oldLeft--;
      if (kind !== "-") newLeft--;
      lines.push({ mark: kind, text });
    }
    file.hunks.push(hunkOf(Number(match[1]), Number(match[3]), lines));
  }

  #context(): boolean {
    const file = this.#file();
    this.#at++;
    const range = (prefix: RegExp): number | undefined => {
      const match = prefix.exec(this.lines[this.#at] ?? "");
      if (match === null) return undefined;
      this.#at++;
      return Number(match[1]);
    };
    const side = (): HunkLine[] => {
      const lines: HunkLine[] = [];
      for (;;) {
        const match = /^([ +!-]) (.*)$/s.exec(this.lines[this.#at] ?? "");
        if (match === null || /^--- \d+(,\d+)? ----/.test(this.lines[this.#at]!)) return lines;
        this.#at++;
        lines.push({ mark: match[1] as " ", text: this.#text(match[2]!) });
      }
    };
    const oldStart = range(/^\*\*\* (\d+)(?:,\d+)? \*\*\*\*/);
    const before = side();
    const newStart = range(/^--- (\d+)(?:,\d+)? ----/);
    const after = side();
    file.hunks.push(hunkOf(oldStart ?? 0, newStart ?? 0, merged(before, after)));
    return true;
  }

  #normal(match: RegExpExecArray): boolean {
    const file = this.#file();
    this.#at++;
    const lines: HunkLine[] = [];
    const side = (prefix: string, mark: "+" | "-") => {
      while (this.lines[this.#at]?.startsWith(prefix)) {
        const text = this.lines[this.#at++]!.slice(2);
        lines.push({ mark, text: this.#text(text) });
      }
    };
    side("< ", "-");
    if (this.lines[this.#at] === "---") this.#at++;
    side("> ", "+");
    file.hunks.push(hunkOf(Number(match[1]), Number(match[4]), lines));
    return true;
  }
}

/** The two sides of a context hunk as one; a side without changes may be left out. */
function merged(before: HunkLine[], after: HunkLine[]): HunkLine[] {
  const isOld = ({ mark }: HunkLine) => mark === "-" || (mark as string) === "!";
  const isNew = ({ mark }: HunkLine) => mark === "+" || (mark as string) === "!";
  if (before.length === 0)
    return after.map((line) => (isNew(line) ? { ...line, mark: "+" } : line));
  if (after.length === 0)
    return before.map((line) => (isOld(line) ? { ...line, mark: "-" } : line));
  const lines: HunkLine[] = [];
  let [a, b] = [0, 0];
  while (a < before.length || b < after.length) {
    while (a < before.length && isOld(before[a]!)) lines.push({ ...before[a++]!, mark: "-" });
    while (b < after.length && isNew(after[b]!)) lines.push({ ...after[b++]!, mark: "+" });
    const shared = before[a] ?? after[b];
    if (shared !== undefined) lines.push(shared);
    a++;
    b++;
  }
  return lines;
}

export function parsePatch(text: string): FilePatch[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return new PatchReader(lines).read();
}
