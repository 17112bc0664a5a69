/** `set` and `shopt`. */
import { isOptionName, optionNames, optionOfLetter } from "../options.js";
import type { Builtin, BuiltinCall } from "./builtin.js";
import { quote } from "./builtin.js";

async function set(call: BuiltinCall): Promise<number> {
  const { args, env } = call;
  if (args.length === 0) return call.print(listVariables(call));
  let at = 0;
  for (; at < args.length; at++) {
    const argument = args[at]!;
    if (argument === "--") {
      env.positional = args.slice(at + 1);
      return 0;
    }
    if (argument === "-") {
      env.options.set("xtrace", false);
      env.options.set("verbose", false);
      at += 1;
      break;
    }
    if (!/^[-+]./.test(argument)) break;
    const on = argument.startsWith("-");
    for (const letter of argument.slice(1)) {
      if (letter === "o") {
        const name = args[at + 1];
        if (name === undefined) return call.print(listOptions(call, on));
        at += 1;
        setOption(call, name, on);
      } else {
        const name = optionOfLetter(letter);
        if (name === undefined) {
          if (call.shell.bash && "hBEHPT".includes(letter)) continue;
          call.fail(`Illegal option -${letter}`);
        }
        env.options.set(name as string, on);
      }
    }
  }
  if (at < args.length) env.positional = args.slice(at);
  return 0;
}

function setOption(call: BuiltinCall, name: string, on: boolean): void {
  if (!isOptionName(name)) call.fail(`Illegal option -o ${name}`);
  call.env.options.set(name, on);
}

function listVariables(call: BuiltinCall): string {
  const { variables } = call.env;
  return variables
    .names()
    .map((name) => [name, variables.value(name)] as const)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${quote(value!)}\n`)
    .join("");
}

function listOptions(call: BuiltinCall, readable: boolean): string {
  const { options } = call.env;
  const listed = optionNames.filter(
    ({ name }) => name !== "pipefail" || call.shell.bash || options.has(name),
  );
  if (!readable) {
    return listed.map(({ name }) => `set ${options.has(name) ? "-" : "+"}o ${name}\n`).join("");
  }
  const rows = listed.map(({ name }) => `${name.padEnd(15)} ${options.has(name) ? "on" : "off"}\n`);
  return `Current option settings\n${rows.join("")}`;
}

const shoptNames = new Set(
  "autocd cdspell checkwinsize cmdhist dotglob execfail expand_aliases extglob failglob globstar histappend inherit_errexit lastpipe login_shell nocaseglob nocasematch nullglob progcomp promptvars sourcepath xpg_echo".split(
    " ",
  ),
);

async function shopt(call: BuiltinCall): Promise<number> {
  const { flags, operands } = call.options("suqpo");
  const on = call.env.shellOptions;
  let status = 0;
  for (const name of operands.length > 0 ? operands : shoptNames) {
    if (!shoptNames.has(name)) {
      status = await call.complain(`${name}: invalid shell option name`);
    } else if (flags.has("s") && operands.length > 0) on.add(name);
    else if (flags.has("u") && operands.length > 0) on.delete(name);
    else {
      if (operands.length > 0 && !on.has(name)) status = 1;
      if (!flags.has("q")) await call.print(`${name.padEnd(15)}\t${on.has(name) ? "on" : "off"}\n`);
    }
  }
  return status;
}

export const optionBuiltins: Record<string, Builtin> = {
  set: { special: true, run: set },
  shopt: { run: shopt },
};
