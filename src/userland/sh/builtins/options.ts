/** `set` and `shopt`. */
import { assignmentLine } from "../declarations.js";
import {
  bashOptionNames,
  isOptionName,
  missingOptions,
  optionNames,
  optionOfLetter,
} from "../options.js";
import { isMissingShopt, isShopt, shoptNames } from "../shell-options.js";
import { functionText } from "../unparse.js";
import type { Builtin, BuiltinCall } from "./builtin.js";
import { dashQuote } from "./builtin.js";

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
        setOption(call, name, on, name);
      } else {
        const name = optionOfLetter(letter, call.shell.bash);
        if (name === undefined) {
          if (call.shell.bash) call.options("", [`-${letter}`]);
          call.fail(`Illegal option -${letter}`);
        }
        setOption(call, name as string, on, `-${letter}`);
      }
    }
  }
  if (at < args.length) env.positional = args.slice(at);
  return 0;
}

function setOption(call: BuiltinCall, name: string, on: boolean, shown: string): void {
  const { options } = call.env;
  if (!isOptionName(name, call.shell.bash) && optionOfLetter(shown[1] ?? "", false) !== name) {
    const message = `${name}: invalid option name`;
    call.fail(`Illegal option -o ${name}`, 2, { message, status: 2 });
  }
  if (on && call.shell.bash && missingOptions.has(name)) {
    call.fail(`${shown}: not available in this shell`);
  }
  options.set(name, on);
  // One way of editing at a time.
  if (on && name === "vi") options.set("emacs", false);
  if (on && name === "emacs") options.set("vi", false);
}

function listVariables(call: BuiltinCall): string {
  const { functions, variables } = call.env;
  if (call.shell.bash) {
    const values = variables
      .names()
      .map((name) => assignmentLine(name, variables.own(name)!) ?? "")
      .join("");
    const names = call.env.options.has("posix") ? [] : [...functions.keys()].sort();
    return values + names.map((name) => functionText(name, functions.get(name)!.body)).join("");
  }
  return variables
    .names()
    .map((name) => [name, variables.value(name)] as const)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${dashQuote(value!)}\n`)
    .join("");
}

function listOptions(call: BuiltinCall, readable: boolean): string {
  const { options } = call.env;
  if (call.shell.bash) {
    const row = readable ? optionRow : optionCommand;
    return bashOptionNames.map((name) => row(name, options.has(name))).join("");
  }
  const listed = optionNames.filter(
    ({ name }) => name !== "pipefail" || call.shell.bash || options.has(name),
  );
  if (!readable) {
    return listed.map(({ name }) => `set ${options.has(name) ? "-" : "+"}o ${name}\n`).join("");
  }
  const rows = listed.map(({ name }) => `${name.padEnd(15)} ${options.has(name) ? "on" : "off"}\n`);
  return `Current option settings\n${rows.join("")}`;
}

function optionRow(name: string, on: boolean): string {
  return `${name.padEnd(15)}\t${on ? "on" : "off"}\n`;
}

function optionCommand(name: string, on: boolean): string {
  return `set ${on ? "-" : "+"}o ${name}\n`;
}

function shoptCommand(name: string, on: boolean): string {
  return `shopt -${on ? "s" : "u"} ${name}\n`;
}

async function shopt(call: BuiltinCall): Promise<number> {
  const { flags, operands } = call.options("suqpo");
  const { options, shellOptions } = call.env;
  if (flags.has("s") && flags.has("u")) {
    return call.complain("cannot set and unset shell options simultaneously");
  }
  const setOptions = flags.has("o");
  const isOn = (name: string): boolean => (setOptions ? options.has(name) : shellOptions.has(name));
  const row = flags.has("p") ? (setOptions ? optionCommand : shoptCommand) : optionRow;
  if (operands.length === 0) {
    const all = setOptions ? bashOptionNames : shoptNames;
    const wanted = flags.has("s") ? true : flags.has("u") ? false : undefined;
    const shown = all.filter((name) => wanted === undefined || isOn(name) === wanted);
    return flags.has("q") ? 0 : call.print(shown.map((name) => row(name, isOn(name))).join(""));
  }
  let status = 0;
  for (const name of operands) {
    if (setOptions ? !isOptionName(name, true) : !isShopt(name)) {
      const kind = setOptions ? "invalid option name" : "invalid shell option name";
      status = await call.complain(`${name}: ${kind}`);
    } else if (flags.has("s") || flags.has("u")) {
      if (setOptions) setOption(call, name, flags.has("s"), name);
      else if (flags.has("u")) shellOptions.delete(name);
      else if (isMissingShopt(name)) {
        status = await call.complain(`${name}: not available in this shell`);
      } else shellOptions.add(name);
    } else {
      if (!isOn(name)) status = 1;
      if (!flags.has("q")) await call.print(row(name, isOn(name)));
    }
  }
  return status;
}

export const optionBuiltins: Record<string, Builtin> = {
  set: { special: true, run: set },
  shopt: { run: shopt },
};
