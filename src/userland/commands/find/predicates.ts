/** Owns the table of find's tests: by their words, what they take and what has to be true of a file. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { errorText } from "../../support/errors.js";
import { idOf, nameTable, parseMode } from "../../support/files.js";
import { parseDate } from "../../support/parse-date.js";
import { quoted } from "../../support/text.js";
import type { Settings, Test } from "./expression.js";
import * as tests from "./tests.js";

/** What a test is made from. */
interface Given {
  context: CommandContext;
  settings: Settings;
  /** Of regular expressions. */
  syntax: string;
  /** The next word of the expression. */
  argument(): string;
}

type Predicate = (given: Given, word: string) => Test;

/** Words that share a test are in one row. */
const rows: readonly (readonly [words: string, make: Predicate])[] = [
  ["-true", () => () => true],
  ["-false", () => () => false],
  ["-name -iname", ({ argument }, word) => tests.name(argument(), word === "-iname")],
  [
    "-path -wholename -ipath -iwholename",
    ({ argument }, word) => tests.path(argument(), word.startsWith("-i")),
  ],
  [
    "-lname -ilname",
    ({ context, argument }, word) => tests.linkName(context, argument(), word === "-ilname"),
  ],
  [
    "-regex -iregex",
    ({ argument, syntax }, word) => tests.regex(argument(), syntax, word === "-iregex"),
  ],
  ["-type -xtype", ({ context, argument }, word) => tests.type(context, argument(), word)],
  ["-empty", ({ context }) => tests.empty(context)],
  ["-size", ({ argument }) => tests.size(argument())],
  ["-links", ({ argument }, word) => tests.counted(word, argument(), ({ stats }) => stats.nlink)],
  ["-inum", ({ argument }, word) => tests.counted(word, argument(), ({ stats }) => stats.ino)],
  ["-uid", ({ argument }, word) => tests.counted(word, argument(), ({ stats }) => stats.uid)],
  ["-gid", ({ argument }, word) => tests.counted(word, argument(), ({ stats }) => stats.gid)],
  ["-user", (given) => ownedBy(given, "passwd", "is not the name of a known user")],
  ["-group", (given) => ownedBy(given, "group", "is not the name of an existing group")],
  ["-nouser", ({ context }) => ownerUnknown(context, "passwd")],
  ["-nogroup", ({ context }) => ownerUnknown(context, "group")],
  [
    "-mtime -atime -ctime -mmin -amin -cmin",
    ({ settings, argument }, word) => tests.age(word, argument(), () => settings.nowMs),
  ],
  ["-newer -newermm", (given) => newerThanFile(given, "mtimeMs")],
  ["-anewer", (given) => newerThanFile(given, "atimeMs")],
  ["-cnewer", (given) => newerThanFile(given, "ctimeMs")],
  ["-newermt", (given) => newerThanDate(given, "mtimeMs")],
  ["-newerat", (given) => newerThanDate(given, "atimeMs")],
  ["-newerct", (given) => newerThanDate(given, "ctimeMs")],
  ["-perm", ({ argument }) => permission(argument())],
  ["-readable", ({ context }) => accessible(context, 4)],
  ["-writable", ({ context }) => accessible(context, 2)],
  ["-executable", ({ context }) => accessible(context, 1)],
  ["-samefile", sameFile],
];

export const predicates: ReadonlyMap<string, Predicate> = new Map(
  rows.flatMap(([words, make]) => words.split(" ").map((word) => [word, make] as const)),
);

/** Which of a file's owners an entry of each table names. */
const ownerKey = { passwd: "uid", group: "gid" } as const;

function ownedBy({ context, argument }: Given, table: "passwd" | "group", unknown: string): Test {
  const text = argument();
  const id = idOf(nameTable(context, table), text);
  if (id === undefined) throw new CommandFailure(`${quoted(text)} ${unknown}`);
  const key = ownerKey[table];
  return ({ stats }) => stats[key] === id;
}

function ownerUnknown(context: CommandContext, table: "passwd" | "group"): Test {
  const known = nameTable(context, table);
  const key = ownerKey[table];
  return ({ stats }) => !known.has(stats[key]);
}

type Time = "mtimeMs" | "atimeMs" | "ctimeMs";

/** Than another file's contents are. */
function newerThanFile({ context, argument }: Given, time: Time): Test {
  const path = argument();
  let reference: number;
  try {
    reference = context.fs.statSync(path).mtimeMs;
  } catch (error) {
    throw new CommandFailure(`${quoted(path)}: ${errorText(error)}`);
  }
  return ({ stats }) => stats[time] > reference;
}

function newerThanDate({ argument }: Given, time: Time): Test {
  const text = argument();
  const ms = parseDate(text, new Date());
  if (ms === undefined)
    throw new CommandFailure(
      `I cannot figure out how to interpret ${quoted(text)} as a date or time`,
    );
  return ({ stats }) => stats[time] > ms;
}

/** `-` before a mode: all of its bits; `/`: any of them. */
function permission(text: string): Test {
  const match = /^([-/]?)(.*)$/.exec(text)!;
  const change = parseMode(match[2]!, 0);
  if (change === undefined) throw new CommandFailure(`invalid mode ${quoted(text)}`);
  const wanted = change(0, false);
  if (match[1] === "-") return ({ stats }) => (stats.mode & wanted) === wanted;
  if (match[1] === "/") return ({ stats }) => wanted === 0 || (stats.mode & wanted) !== 0;
  return ({ stats }) => (stats.mode & 0o7777) === wanted;
}

function accessible(context: CommandContext, mode: number): Test {
  return ({ path }) => {
    try {
      context.fs.accessSync(path, mode);
      return true;
    } catch {
      return false;
    }
  };
}

function sameFile({ context, argument }: Given): Test {
  const wanted = context.fs.lstatSync(argument());
  return ({ stats }) => stats.ino === wanted.ino && stats.dev === wanted.dev;
}
