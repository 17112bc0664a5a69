/** Owns how a commit is shown: its names, dates, the header of a log and the templates of --format. */
import { dayNames, monthNames } from "../../support/strftime.js";
import type { Options } from "../../support/options.js";
import { fatal, type Repository } from "./repository.js";

export type Commit = Awaited<ReturnType<Repository["git"]["readCommit"]>>;
type Person = Commit["commit"]["author"];

const shortLength = 7;
const two = (value: number) => String(value).padStart(2, "0");

export const short = (oid: string) => oid.slice(0, shortLength);

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

export function formatted(template: string, { oid, commit }: Commit): string {
  const lines = commit.message.replace(/\n+$/, "").split("\n");
  const values: Record<string, string> = {
    H: oid,
    h: short(oid),
    T: commit.tree,
    P: commit.parent.join(" "),
    p: commit.parent.map(short).join(" "),
    an: commit.author.name,
    ae: commit.author.email,
    ad: dateText(commit.author),
    at: String(commit.author.timestamp),
    cn: commit.committer.name,
    ce: commit.committer.email,
    cd: dateText(commit.committer),
    ct: String(commit.committer.timestamp),
    s: lines[0]!,
    b: lines
      .slice(2)
      .map((line) => `${line}\n`)
      .join(""),
    B: `${lines.join("\n")}\n`,
    n: "\n",
    "%": "%",
  };
  return template.replace(
    /%(a[ne dt]|c[nedt]|[HhTPpsbBn%])/g,
    (all, key: string) => values[key] ?? all,
  );
}

export function header({ oid, commit }: Commit, abbreviated = false): string {
  const message = commit.message.replace(/\n+$/, "").split("\n");
  const merge = commit.parent.length > 1 ? `Merge: ${commit.parent.map(short).join(" ")}\n` : "";
  return (
    `commit ${abbreviated ? short(oid) : oid}\n${merge}Author: ${commit.author.name} <${commit.author.email}>\n` +
    `Date:   ${dateText(commit.author)}\n\n${message.map((line) => (line === "" ? "" : `    ${line}`)).join("\n")}\n`
  );
}

export const templateOf = (options: Options): string | undefined => {
  const value = options.get("format");
  if (options.has("oneline") || value === "oneline") return "%h %s";
  if (value === undefined || value === "medium") return undefined;
  if (value.includes("%")) return value.replace(/^t?format:/, "");
  throw fatal(`invalid --pretty format: ${value}`);
};
