/** Builtins about what a command name means: `alias`, `unalias`, `type`, `hash`. */
import { S_IFMT, S_IFREG, X_OK } from "../../../abi/fcntl.js";
import { DEFAULT_PATH, findCommand } from "../external.js";
import { functionText } from "../unparse.js";
import type { Builtin, BuiltinCall } from "./builtin.js";
import { quote } from "./builtin.js";
import { builtinOf } from "./builtin.js";

const keywords = new Set(
  "! { } case coproc do done elif else esac fi for function if in select then time until while [[ ]]".split(
    " ",
  ),
);
const dashKeywords = new Set(
  "! { } case do done elif else esac fi for if in then until while".split(" "),
);

/** What `command -v` (terse) or `type` and `command -V` (verbose) say; `undefined` when there is nothing. */
export function describeName(
  call: BuiltinCall,
  name: string,
  style: "terse" | "verbose" | "word",
  passFunctions = false,
): string | undefined {
  const { env, shell } = call;
  const say = (terse: string, verbose: string, word: string): string => {
    if (style === "word") return word;
    return style === "terse" ? terse : `${name} is ${verbose}`;
  };
  if ((shell.bash ? keywords : dashKeywords).has(name))
    return say(name, "a shell keyword", "keyword");
  const alias = env.aliases.get(name);
  if (alias !== undefined) {
    const terse = `alias ${name}=${quote(call, alias)}`;
    return say(terse, shell.bash ? `aliased to \`${alias}'` : `an alias for ${alias}`, "alias");
  }
  const known = env.functions.get(name);
  if (known !== undefined && !passFunctions) {
    const text = shell.bash
      ? `a function\n${functionText(name, known.body).trimEnd()}`
      : "a shell function";
    return say(name, text, "function");
  }
  const builtin = builtinOf(env, name);
  if (builtin !== undefined) {
    const special = builtin.special === true && !shell.bash ? "special " : "";
    return say(name, `a ${special}shell builtin`, "builtin");
  }
  const path = findCommand(shell, env, name);
  if (typeof path === "number") return undefined;
  if (name.includes("/")) {
    const missing = typeof shell.system.stat(env.resolve(name)) === "number";
    if (missing || (shell.bash && !isExecutable(call, name))) return undefined;
  }
  const entry = shell.hash.for(env.variables.value("PATH") ?? DEFAULT_PATH).get(name);
  const hashed = shell.bash && entry !== undefined && entry.hits > 0;
  return say(path, hashed ? `hashed (${path})` : path, "file");
}

function isExecutable({ env, shell }: BuiltinCall, path: string): boolean {
  const status = shell.system.stat(env.resolve(path));
  if (typeof status === "number" || (status.mode & S_IFMT) !== S_IFREG) return false;
  return shell.system.access(env.resolve(path), X_OK) >= 0;
}

/** Every file of that name in PATH. */
function filesOf(call: BuiltinCall, name: string): string[] {
  if (name.includes("/")) return isExecutable(call, name) ? [name] : [];
  const search = call.env.variables.value("PATH") ?? DEFAULT_PATH;
  return search
    .split(":")
    .map((directory) => (directory === "" ? `./${name}` : `${directory}/${name}`))
    .filter((path) => isExecutable(call, path));
}

async function type(call: BuiltinCall): Promise<number> {
  const { shell } = call;
  if (shell.bash) return typeOfBash(call);
  let status = 0;
  for (const name of call.options("").operands) {
    const text = describeName(call, name, "verbose");
    if (text === undefined) status = 127;
    await call.print(`${text ?? `${name}: not found`}\n`);
  }
  return status;
}

async function typeOfBash(call: BuiltinCall): Promise<number> {
  const { flags, operands } = call.options("tapPf");
  const style = flags.has("t") ? "word" : "verbose";
  let status = 0;
  for (const name of operands) {
    const lines = flags.has("a")
      ? everyMeaning(call, name, style, flags)
      : firstMeaning(call, name, style, flags);
    if (lines === undefined) {
      status = 1;
      if (!flags.has("t") && !flags.has("p") && !flags.has("P")) {
        await call.complain(`${name}: not found`);
      }
    } else for (const line of lines) await call.print(`${line}\n`);
  }
  return status;
}

/** The lines of `type` for what the name means; `undefined` when that is nothing. */
function firstMeaning(
  call: BuiltinCall,
  name: string,
  style: "word" | "verbose",
  flags: ReadonlyMap<string, string>,
): string[] | undefined {
  if (flags.has("P")) {
    const [path] = filesOf(call, name);
    return path === undefined ? undefined : [path];
  }
  const text = describeName(call, name, style, flags.has("f"));
  if (text === undefined || !flags.has("p")) return text === undefined ? undefined : [text];
  if (describeName(call, name, "word", flags.has("f")) !== "file") return [];
  return filesOf(call, name).slice(0, 1);
}

/** `type -a` */
function everyMeaning(
  call: BuiltinCall,
  name: string,
  style: "word" | "verbose",
  flags: ReadonlyMap<string, string>,
): string[] | undefined {
  const lines: string[] = [];
  const pathsOnly = flags.has("p") || flags.has("P");
  const files = filesOf(call, name);
  if (!pathsOnly) {
    const first = describeName(call, name, style, flags.has("f"));
    const word = describeName(call, name, "word", flags.has("f"));
    if (first !== undefined && word !== "file") lines.push(first);
    const isHidden = word === "alias" || word === "function";
    if (isHidden && builtinOf(call.env, name) !== undefined) {
      lines.push(style === "word" ? "builtin" : `${name} is a shell builtin`);
    }
  }
  for (const path of files) {
    lines.push(pathsOnly ? path : style === "word" ? "file" : `${name} is ${path}`);
  }
  return lines.length === 0 ? undefined : lines;
}

async function alias(call: BuiltinCall): Promise<number> {
  const { aliases } = call.env;
  const prefix = call.shell.bash ? "alias " : "";
  const show = (name: string): string => `${prefix}${name}=${quote(call, aliases.get(name)!)}\n`;
  const args = call.args.filter((argument) => argument !== "-p" && argument !== "--");
  if (args.length === 0 || (call.shell.bash && call.args[0] === "-p")) {
    await call.print([...aliases.keys()].sort().map(show).join(""));
  }
  let status = 0;
  for (const argument of args) {
    const equals = argument.indexOf("=", 1);
    if (equals > 0) aliases.set(argument.slice(0, equals), argument.slice(equals + 1));
    else if (aliases.has(argument)) await call.print(show(argument));
    else status = await call.complain(`${argument}${call.shell.bash ? ":" : ""} not found`);
  }
  return status;
}

async function unalias(call: BuiltinCall): Promise<number> {
  const { flags, operands } = call.options("a");
  if (call.shell.bash && flags.size + operands.length === 0) return call.misuse();
  const { aliases } = call.env;
  if (flags.has("a")) aliases.clear();
  let status = 0;
  for (const name of operands) {
    if (!aliases.delete(name)) {
      status = await call.complain(`${name}${call.shell.bash ? ":" : ""} not found`);
    }
  }
  return status;
}

async function hash(call: BuiltinCall): Promise<number> {
  const { env, shell } = call;
  const { flags, operands } = call.options(shell.bash ? "rlp:dt" : "rv");
  const entries = shell.hash.for(env.variables.value("PATH") ?? DEFAULT_PATH);
  if (flags.has("r")) entries.clear();
  else if (operands.length === 0) return listHash(call, flags.has("l"));
  const given = flags.get("p");
  let status = 0;
  for (const name of operands) {
    const known = entries.get(name);
    if (given !== undefined) entries.set(name, { path: given, hits: 0 });
    else if (flags.has("d") || flags.has("t")) {
      if (known === undefined) status = await call.complain(`${name}: not found`);
      else if (flags.has("d")) entries.delete(name);
      else await call.print(operands.length > 1 ? `${name}\t${known.path}\n` : `${known.path}\n`);
    } else {
      entries.delete(name);
      if (builtinOf(env, name) !== undefined || env.functions.has(name)) continue;
      if (typeof findCommand(shell, env, name) === "number") {
        status = await call.complain(`${name}: not found`);
      }
    }
  }
  return status;
}

function listHash(call: BuiltinCall, reusable: boolean): Promise<number> {
  const { env, shell } = call;
  const entries = [...shell.hash.for(env.variables.value("PATH") ?? DEFAULT_PATH)];
  if (!shell.bash) return call.print(entries.map(([, { path }]) => `${path}\n`).join(""));
  if (reusable) {
    const lines = entries.map(([name, { path }]) => `builtin hash -p ${path} ${name}\n`);
    return call.print(lines.join(""));
  }
  if (entries.length === 0) return call.print("hash: hash table empty\n");
  const rows = entries.map(([, { hits, path }]) => `${String(hits).padStart(4)}\t${path}\n`);
  return call.print(`hits\tcommand\n${rows.join("")}`);
}

export const nameBuiltins: Record<string, Builtin> = {
  alias: { run: alias },
  unalias: { run: unalias },
  type: { run: type },
  hash: { run: hash },
};
