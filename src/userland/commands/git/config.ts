/** Owns `git config`: what is asked, in which files, and how it is shown. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { parseOptions, type Options } from "../../support/options.js";
import { entriesOf, textOf, withValue, type Entry } from "./config-files.js";
import { fatal } from "./failures.js";
import { globalConfigPath, Repository } from "./repository.js";

interface Place {
  scope: "global" | "local" | "command";
  /** As `--show-origin` has it. */
  origin: string;
  path: string;
  entries: Entry[];
}

/** Keys as git compares them: section and name without case. */
function keyOf(text: string): string {
  const parts = text.split(".");
  if (parts.length < 2)
    throw new CommandFailure(`error: key does not contain a section: ${text}`, 2);
  const [section, name] = [parts.shift()!.toLowerCase(), parts.pop()!.toLowerCase()];
  return [section, ...parts, name].join(".");
}

function repositoryOf(context: CommandContext): Repository | undefined {
  try {
    return Repository.find(context, context.cwd(), new Map());
  } catch {
    return undefined;
  }
}

function placesOf(
  context: CommandContext,
  options: Options,
  overrides: ReadonlyMap<string, string>,
): Place[] {
  const place = (scope: Place["scope"], path: string, origin: string): Place => ({
    scope,
    path,
    origin: `file:${origin}`,
    entries: entriesOf(textOf(context, path)),
  });
  const file = options.get("f");
  if (file !== undefined) return [place("command", file, file)];
  const global = globalConfigPath(context);
  const repository = repositoryOf(context);
  const local =
    repository === undefined
      ? []
      : [place("local", `${repository.dir}/.git/config`, localOrigin(context, repository))];
  if (options.has("global")) return [place("global", global, global)];
  if (options.has("system")) return [place("global", "/etc/gitconfig", "/etc/gitconfig")];
  if (options.has("local")) {
    if (local.length === 0) throw fatal("--local can only be used inside a git repository");
    return local;
  }
  const command: Place = {
    scope: "command",
    path: "",
    origin: "command line:",
    entries: [...overrides].map(([key, value]) => ({ key, value, bare: false, line: 0 })),
  };
  return [place("global", global, global), ...local, command];
}

const localOrigin = (context: CommandContext, { dir }: Repository): string =>
  context.cwd() === dir ? ".git/config" : `${dir}/.git/config`;

function typed(value: string, type: string | undefined): string {
  if (type === "bool") {
    if (/^(?:true|yes|on|[1-9]\d*)$/i.test(value)) return "true";
    if (/^(?:false|no|off|0|)$/i.test(value)) return "false";
    throw fatal(`bad boolean config value '${value}'`);
  }
  if (type !== "int") return value;
  const [, digits, unit = ""] = /^(-?\d+)([kmg]?)$/i.exec(value) ?? [];
  if (digits === undefined) throw fatal(`bad numeric config value '${value}'`);
  return String(
    Number(digits) * 1024 ** "kmg".indexOf(unit.toLowerCase() || "k") * (unit === "" ? 1 : 1024),
  );
}

/** One value, with what stands before it and behind it. */
function line(place: Place, entry: Entry, options: Options, withName: boolean): string {
  const nul = options.has("z");
  const gap = nul ? "\0" : "\t";
  const origin = options.has("origin") ? place.origin + gap : "";
  const scope = options.has("scope") ? place.scope + gap : "";
  const value = typed(entry.value, options.get("type"));
  const name = withName
    ? options.has("names")
      ? entry.key
      : entry.bare
        ? entry.key
        : `${entry.key}${nul ? "\n" : options.has("regexp") ? " " : "="}${value}`
    : value;
  return `${scope}${origin}${name}${nul ? "\0" : "\n"}`;
}

/** `git config get|set|unset|list`, as later versions of git say it. */
function inOldWords(words: readonly string[]): string[] {
  const [verb, ...rest] = words;
  if (verb === "list") return ["--list", ...rest];
  if (verb === "get" && rest.length > 0)
    return [
      rest.includes("--all") ? "--get-all" : "--get",
      ...rest.filter((one) => one !== "--all"),
    ];
  if (verb === "unset" && rest.length > 0) return ["--unset", ...rest];
  if (verb === "set" && rest.length > 1) return rest;
  return [...words];
}

const configOptions = {
  global: "global",
  local: "local",
  system: "system",
  worktree: "local",
  "file=": "f",
  get: "get",
  "get-all": "all",
  "get-regexp": "regexp",
  add: "add",
  unset: "unset",
  "unset-all": "unsetall",
  "replace-all": "replaceall",
  list: "l",
  null: "z",
  "name-only": "names",
  "show-origin": "origin",
  "show-scope": "scope",
  "type=": "type",
  bool: "bool",
  int: "int",
  path: "x",
  includes: "x",
  "no-includes": "x",
  "default=": "default",
};

function read(context: CommandContext, places: readonly Place[], options: Options): number {
  const all = places.flatMap((place) => place.entries.map((entry) => ({ place, entry })));
  if (options.has("l")) {
    for (const { place, entry } of all) context.write(line(place, entry, options, true));
    return 0;
  }
  const [word = "", pattern] = options.operands;
  if (options.has("regexp")) {
    const key = new RegExp(word);
    const found = all.filter(({ entry }) => key.test(entry.key));
    for (const { place, entry } of found) context.write(line(place, entry, options, true));
    return found.length > 0 ? 0 : 1;
  }
  const key = keyOf(word);
  const found = all.filter(
    ({ entry }) =>
      entry.key === key && (pattern === undefined || new RegExp(pattern).test(entry.value)),
  );
  const last = found.at(-1);
  if (last === undefined) {
    const otherwise = options.get("default");
    if (otherwise === undefined) return 1;
    context.write(`${typed(otherwise, options.get("type"))}${options.has("z") ? "\0" : "\n"}`);
    return 0;
  }
  for (const { place, entry } of options.has("all") ? found : [last])
    context.write(line(place, entry, options, false));
  return 0;
}

function write(context: CommandContext, places: readonly Place[], options: Options): number {
  const place = places.find(
    ({ scope, path }) => path !== "" && (places.length === 1 || scope === "local"),
  );
  if (place === undefined) throw fatal("not in a git directory");
  const [word = "", value] = options.operands;
  const key = keyOf(word);
  const lines = place.entries.filter((entry) => entry.key === key).map((entry) => entry.line);
  const removes = options.has("unset", "unsetall");
  if (removes && lines.length === 0) return 5;
  if (lines.length > 1 && !options.has("unsetall", "replaceall", "add")) {
    context.writeError(
      removes
        ? `warning: ${word} has multiple values\n`
        : `warning: ${word} has multiple values\nerror: cannot overwrite multiple values with a single value\n       Use a regexp, --add or --replace-all to change ${word}.\n`,
    );
    return 5;
  }
  const text = textOf(context, place.path);
  context.fs.writeFileSync(
    place.path,
    withValue(text, word, removes ? undefined : value, options.has("add") ? [] : lines),
  );
  return 0;
}

export function config(
  context: CommandContext,
  overrides: ReadonlyMap<string, string>,
): Promise<number> {
  const argv = ["config", ...inOldWords(context.argv.slice(1))];
  const options = parseOptions({ ...context, argv }, "lzf:", configOptions, { status: 129 });
  for (const type of ["bool", "int"])
    if (options.has(type)) options.list.push({ key: "type", value: type });
  const places = placesOf(context, options, overrides);
  const count = options.operands.length;
  if (options.has("l")) return Promise.resolve(read(context, places, options));
  const reads = options.has("get", "all", "regexp");
  const writes = options.has("unset", "unsetall", "add", "replaceall") || (!reads && count === 2);
  if (count === 0 || count > 2) throw new CommandFailure("error: wrong number of arguments", 129);
  return Promise.resolve((writes ? write : read)(context, places, options));
}
