/** Builtins about what a command name means: `alias`, `unalias`, `type`, `hash`. */
import { DEFAULT_PATH, findCommand } from "../external.js";
import type { Builtin, BuiltinCall } from "./builtin.js";
import { quote } from "./builtin.js";
import { builtins } from "./index.js";

const keywords = new Set(
  "! { } case do done elif else esac fi for if in then until while [[ ]] function".split(" "),
);
const dashKeywords = new Set(
  "! { } case do done elif else esac fi for if in then until while".split(" "),
);

/** What `command -v` (terse) or `type` and `command -V` (verbose) say; `undefined` when there is nothing. */
export function describeName(
  call: BuiltinCall,
  name: string,
  style: "terse" | "verbose" | "word",
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
    const terse = `alias ${name}=${quote(alias)}`;
    return say(terse, shell.bash ? `aliased to \`${alias}'` : `an alias for ${alias}`, "alias");
  }
  if (env.functions.has(name)) {
    return say(name, shell.bash ? "a function" : "a shell function", "function");
  }
  const builtin = builtins.get(name);
  if (builtin !== undefined && (shell.bash || builtin.bashOnly !== true)) {
    const special = builtin.special === true && !shell.bash ? "special " : "";
    return say(name, `a ${special}shell builtin`, "builtin");
  }
  const path = findCommand(shell, env, name);
  if (typeof path === "number") return undefined;
  if (name.includes("/") && typeof shell.system.stat(env.resolve(name)) === "number")
    return undefined;
  return say(path, path, "file");
}

async function type(call: BuiltinCall): Promise<number> {
  const { flags, operands } = call.shell.bash ? call.options("tapPf") : call.options("");
  let status = 0;
  for (const name of operands) {
    const wantsPath = flags.has("p") || flags.has("P");
    const text = describeName(
      call,
      name,
      wantsPath ? "terse" : flags.has("t") ? "word" : "verbose",
    );
    if (text !== undefined) await call.print(`${text}\n`);
    else {
      status = call.shell.bash ? 1 : 127;
      if (flags.size === 0 && !call.shell.bash) await call.print(`${name}: not found\n`);
      else if (flags.size === 0) await call.complain(`${name}: not found`);
    }
  }
  return status;
}

async function alias(call: BuiltinCall): Promise<number> {
  const { aliases } = call.env;
  const prefix = call.shell.bash ? "alias " : "";
  const show = (name: string): string => `${prefix}${name}=${quote(aliases.get(name)!)}\n`;
  const args = call.args.filter((argument) => argument !== "-p" && argument !== "--");
  if (args.length === 0) return call.print([...aliases.keys()].sort().map(show).join(""));
  let status = 0;
  for (const argument of args) {
    const equals = argument.indexOf("=", 1);
    if (equals > 0) aliases.set(argument.slice(0, equals), argument.slice(equals + 1));
    else if (aliases.has(argument)) await call.print(show(argument));
    else status = await call.complain(`${argument} not found`);
  }
  return status;
}

async function unalias(call: BuiltinCall): Promise<number> {
  const { flags, operands } = call.options("a");
  const { aliases } = call.env;
  if (flags.has("a")) aliases.clear();
  let status = 0;
  for (const name of operands) {
    if (!aliases.delete(name)) status = await call.complain(`${name} not found`);
  }
  return status;
}

async function hash(call: BuiltinCall): Promise<number> {
  const { env, shell } = call;
  const { flags, operands } = call.options("rv");
  const entries = shell.hash.for(env.variables.value("PATH") ?? DEFAULT_PATH);
  if (flags.has("r")) entries.clear();
  else if (operands.length === 0)
    return call.print([...entries.values()].map((p) => `${p}\n`).join(""));
  let status = 0;
  for (const name of operands) {
    entries.delete(name);
    if (builtins.has(name) || env.functions.has(name)) continue;
    if (typeof findCommand(shell, env, name) === "number")
      status = await call.complain(`${name}: not found`);
  }
  return status;
}

export const nameBuiltins: Record<string, Builtin> = {
  alias: { run: alias },
  unalias: { run: unalias },
  type: { run: type },
  hash: { run: hash },
};
