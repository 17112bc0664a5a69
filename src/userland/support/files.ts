/** Owns what several file commands share: modes as text, symbolic modes, names of users, paths. */
import type { Stats } from "node:fs";
import type { CommandContext } from "../command.js";

const typeMask = 0o170000;
const typeLetters = new Map([
  [0o040000, "d"],
  [0o120000, "l"],
  [0o020000, "c"],
  [0o060000, "b"],
  [0o010000, "p"],
  [0o140000, "s"],
]);

export function typeLetter(mode: number): string {
  return typeLetters.get(mode & typeMask) ?? "-";
}

export function modeText(mode: number): string {
  const triple = (bits: number, special: boolean, letter: string) =>
    (bits & 4 ? "r" : "-") +
    (bits & 2 ? "w" : "-") +
    (special ? (bits & 1 ? letter : letter.toUpperCase()) : bits & 1 ? "x" : "-");
  return (
    typeLetter(mode) +
    triple((mode >> 6) & 7, (mode & 0o4000) !== 0, "s") +
    triple((mode >> 3) & 7, (mode & 0o2000) !== 0, "s") +
    triple(mode & 7, (mode & 0o1000) !== 0, "t")
  );
}

export function typeName(stats: Pick<Stats, "mode" | "size">): string {
  switch (typeLetter(stats.mode)) {
    case "d":
      return "directory";
    case "l":
      return "symbolic link";
    case "c":
      return "character special file";
    case "b":
      return "block special file";
    case "p":
      return "fifo";
    case "s":
      return "socket";
    default:
      return stats.size === 0 ? "regular empty file" : "regular file";
  }
}

export type ModeChange = (mode: number, isDirectory: boolean) => number;

/** `644`, `u+x`, `go-w,a=rX`; undefined when it is no mode. */
export function parseMode(text: string, umask: number): ModeChange | undefined {
  if (/^[0-7]{1,5}$/.test(text)) {
    const value = parseInt(text, 8);
    if (value > 0o7777) return undefined;
    // An octal mode of fewer than five digits leaves a directory's set-id bits alone.
    return (mode, isDirectory) =>
      isDirectory && text.length < 5 ? value | (mode & 0o6000) : value;
  }
  const changes: ModeChange[] = [];
  for (const clause of text.split(",")) {
    const match = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]|[0-7]+))+)$/.exec(clause);
    if (match === null) return undefined;
    const who = match[1]!;
    for (const action of match[2]!.matchAll(/([-+=])([rwxXst]+|[ugo]|[0-7]+)?/g)) {
      changes.push(symbolicChange(who, action[1]!, action[2] ?? "", umask));
    }
  }
  return (mode, isDirectory) =>
    changes.reduce((value, change) => change(value, isDirectory), mode & 0o7777);
}

function symbolicChange(
  who: string,
  operator: string,
  permissions: string,
  umask: number,
): ModeChange {
  const everyone = who === "" || who.includes("a");
  const reach =
    (everyone || who.includes("u") ? 0o4700 : 0) |
    (everyone || who.includes("g") ? 0o2070 : 0) |
    (everyone || who.includes("o") ? 0o0007 : 0) |
    (everyone ? 0o1000 : 0);
  const allowed = who === "" ? reach & ~umask : reach;
  return (mode, isDirectory) => {
    let bits = 0;
    if (/^[0-7]/.test(permissions)) bits = parseInt(permissions, 8);
    else if (/^[ugo]$/.test(permissions)) {
      const shift = { u: 6, g: 3, o: 0 }[permissions]!;
      bits = ((mode >> shift) & 7) * 0o111;
    } else {
      for (const letter of permissions) {
        if (letter === "r") bits |= 0o444;
        if (letter === "w") bits |= 0o222;
        if (letter === "x" || (letter === "X" && (isDirectory || mode & 0o111))) bits |= 0o111;
        if (letter === "s") bits |= 0o6000;
        if (letter === "t") bits |= 0o1000;
      }
    }
    bits &= allowed;
    if (operator === "+") return mode | bits;
    if (operator === "-") return mode & ~bits;
    const kept = isDirectory && !permissions.includes("s") ? 0o6000 : 0;
    return (mode & ~(reach & ~kept)) | bits;
  };
}

/** /etc/passwd or /etc/group as id → name; numbers stay numbers where there is no such file. */
export function nameTable(context: CommandContext, file: "passwd" | "group"): Map<number, string> {
  const names = new Map<number, string>();
  let text = "";
  try {
    text = context.fs.readFileSync(`/etc/${file}`, "utf8");
  } catch {
    return names;
  }
  for (const line of text.split("\n")) {
    const [name, , id] = line.split(":");
    if (name && id !== undefined && !names.has(Number(id))) names.set(Number(id), name);
  }
  return names;
}

export function idOf(table: Map<number, string>, name: string): number | undefined {
  for (const [id, known] of table) if (known === name) return id;
  return /^\d+$/.test(name) ? Number(name) : undefined;
}

export function withoutTrailingSlashes(path: string): string {
  return path.replace(/(?<=.)\/+$/, "");
}

export function joinPath(directory: string, name: string): string {
  return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
}

export function baseName(path: string): string {
  const trimmed = withoutTrailingSlashes(path);
  return trimmed === "/" ? "/" : trimmed.slice(trimmed.lastIndexOf("/") + 1);
}

/** Undefined when nothing is there. */
export function statOrNothing(
  context: CommandContext,
  path: string,
  follow: boolean,
): Stats | undefined {
  try {
    return follow ? context.fs.statSync(path) : context.fs.lstatSync(path);
  } catch {
    return undefined;
  }
}

export function sortedNames(context: CommandContext, path: string): string[] {
  // Byte order: UTF-8 keeps the order of code points, UTF-16 does not.
  return context.fs
    .readdirSync(path)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Asks on stderr; true for an answer that begins with y. */
export function confirmed(context: CommandContext, question: string): boolean {
  context.writeError(`${context.name}: ${question}`);
  let answer = "";
  for (;;) {
    const chunk = context.readInput(1);
    if (chunk.length === 0 || chunk[0] === 10) return /^[yY]/.test(answer);
    answer += String.fromCharCode(chunk[0]!);
  }
}
