/** Owns how a commit is shown: its names, dates, the header of a log and the templates of --format. */
import { dayNames, monthNames, strftime } from "../../support/strftime.js";
import type { Options } from "../../support/options.js";
import { fatal } from "./failures.js";
import type { Repository } from "./repository.js";

export type Commit = Awaited<ReturnType<Repository["git"]["readCommit"]>>;
export type Person = Commit["commit"]["author"];

const usualLength = 7;
const oidLength = 40;
let shortLength = usualLength;
const two = (value: number) => String(value).padStart(2, "0");

export const short = (oid: string, length = shortLength) => oid.slice(0, length);

/** `core.abbrev`, before anything is shown. */
export function setAbbreviation(value: string | undefined): void {
  const isOff = value === "no" || value === "off" || value === "false";
  const length = isOff ? oidLength : Number(value);
  shortLength = length >= 4 && length <= oidLength ? length : usualLength;
}

/** As commits, logs and dates have it: +0100. The library counts minutes west of Greenwich. */
export function zoneText(timezoneOffset: number): string {
  const minutes = Math.abs(timezoneOffset);
  return `${timezoneOffset > 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}${two(minutes % 60)}`;
}

/** The clock of whoever it is, read as UTC. */
export function clockOf({ timestamp, timezoneOffset }: Person): Date {
  return new Date((timestamp - timezoneOffset * 60) * 1000);
}

export function dateText(person: Person): string {
  const at = clockOf(person);
  return `${dayNames[at.getUTCDay()]} ${monthNames[at.getUTCMonth()]} ${at.getUTCDate()} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} ${at.getUTCFullYear()} ${zoneText(person.timezoneOffset)}`;
}

/** A date in one of the forms of `--date`. */
export function dated(person: Person, form = "default"): string {
  const at = clockOf(person);
  const day = `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`;
  const time = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`;
  const zone = zoneText(person.timezoneOffset);
  if (form.startsWith("format:"))
    return strftime(form.slice("format:".length), at.getTime(), true).replace(/GMT|UTC/, "");
  switch (form) {
    case "default":
    case "normal":
      return dateText(person);
    case "iso":
    case "iso8601":
      return `${day} ${time} ${zone}`;
    case "iso-strict":
    case "iso8601-strict":
      return `${day}T${time}${zone === "+0000" ? "+00:00" : zone.replace(/(..)$/, ":$1")}`;
    case "short":
      return day;
    case "unix":
      return String(person.timestamp);
    case "raw":
      return `${person.timestamp} ${zone}`;
    case "rfc":
    case "rfc2822":
      return `${dayNames[at.getUTCDay()]}, ${at.getUTCDate()} ${monthNames[at.getUTCMonth()]} ${at.getUTCFullYear()} ${time} ${zone}`;
    default:
      throw fatal(`unknown date format ${form}`);
  }
}

/** What else a template may show. */
export interface Shown {
  /** Names of refs, as `%D` lists them. */
  names?: readonly string[];
  date?: string | undefined;
}

export function formatted(
  template: string,
  { oid, commit }: Commit,
  { names = [], date }: Shown = {},
): string {
  const lines = commit.message.replace(/\n+$/, "").split("\n");
  // The subject is all of the first paragraph.
  const gap = lines.indexOf("");
  const subjectEnd = gap === -1 ? lines.length : gap;
  const values: Record<string, string> = {
    H: oid,
    h: short(oid),
    T: commit.tree,
    P: commit.parent.join(" "),
    p: commit.parent.map((each) => short(each)).join(" "),
    an: commit.author.name,
    ae: commit.author.email,
    ad: dated(commit.author, date),
    at: String(commit.author.timestamp),
    aN: commit.author.name,
    aE: commit.author.email,
    ai: dated(commit.author, "iso"),
    aI: dated(commit.author, "iso-strict"),
    as: dated(commit.author, "short"),
    aD: dated(commit.author, "rfc"),
    cn: commit.committer.name,
    ce: commit.committer.email,
    cd: dated(commit.committer, date),
    ct: String(commit.committer.timestamp),
    cN: commit.committer.name,
    cE: commit.committer.email,
    ci: dated(commit.committer, "iso"),
    cI: dated(commit.committer, "iso-strict"),
    cs: dated(commit.committer, "short"),
    cD: dated(commit.committer, "rfc"),
    t: short(commit.tree),
    d: names.length === 0 ? "" : ` (${names.join(", ")})`,
    D: names.join(", "),
    "G?": "N",
    e: "",
    N: "",
    m: ">",
    s: lines.slice(0, subjectEnd).join(" "),
    b: lines
      .slice(subjectEnd + 1)
      .map((line) => `${line}\n`)
      .join(""),
    B: `${lines.join("\n")}\n`,
    n: "\n",
    "%": "%",
  };
  return template.replace(
    /%(x[0-9A-Fa-f]{2}|C(?:\([^)]*\)|reset|red|green|blue)|[ac][neNEdtiIsD]|G\?|[HhTtPpsbBndDeNm%])/g,
    (all, key: string) => {
      if (key.startsWith("x")) return String.fromCharCode(parseInt(key.slice(1), 16));
      // Output here is never in colours.
      return key.startsWith("C") ? "" : (values[key] ?? all);
    },
  );
}

export function header(
  { oid, commit }: Commit,
  abbreviated = false,
  { names = [], date }: Shown = {},
): string {
  const message = commit.message.replace(/\n+$/, "").split("\n");
  const merge =
    commit.parent.length > 1
      ? `Merge: ${commit.parent.map((each) => short(each)).join(" ")}\n`
      : "";
  return (
    `commit ${abbreviated ? short(oid) : oid}${names.length === 0 ? "" : ` (${names.join(", ")})`}\n${merge}Author: ${commit.author.name} <${commit.author.email}>\n` +
    `Date:   ${dated(commit.author, date)}\n\n${message.map((line) => `    ${line}`).join("\n")}\n`
  );
}

export const templateOf = (options: Options): string | undefined => {
  const value = options.get("format");
  // The later of the two counts.
  if (options.last("oneline", "format") === "oneline") return "%h%d %s";
  if (value === "oneline") return "%H %s";
  if (value === "") return "";
  if (value === undefined || value === "medium") return undefined;
  if (/^t?format:/.test(value)) return value.replace(/^t?format:/, "");
  if (value.includes("%")) return value;
  throw fatal(`invalid --pretty format: ${value}`);
};
