/** Owns the environment with which a shell starts: inherited variables and functions, and what bash sets itself. */
import { RealDescriptor } from "./descriptors.js";
import { Environment } from "./environment.js";
import { DEFAULT_PATH } from "./external.js";
import type { Interpreter } from "./interpreter.js";
import { bashDefaults } from "./options.js";
import { Parser } from "./parser.js";
import { shoptDefaults } from "./shell-options.js";
import type { ShellSystem } from "./system.js";
import { ShellArray, validName } from "./variables.js";
import { versionParts, versionText } from "./version.js";

const exportedFunction = /^BASH_FUNC_(.+)%%$/;

export function firstEnvironment(
  shell: Interpreter,
  called: string,
  environment: Readonly<Record<string, string>>,
): Environment {
  const { system } = shell;
  const env = new Environment(shell);
  env.name = called;
  env.shellPid = system.pid;
  env.umask = system.umask(0o022);
  system.umask(env.umask);
  for (const fd of system.inheritedFds) env.descriptors.set(fd, new RealDescriptor(system, fd));
  const { variables } = env;
  for (const [name, value] of Object.entries(environment)) {
    const inherited = shell.bash ? exportedFunction.exec(name)?.[1] : undefined;
    if (inherited !== undefined) importFunction(env, inherited, value);
    if (!validName.test(name) || (shell.bash && isComputed(name))) continue;
    variables.set(name, value);
    variables.setAttributes(name, { exported: true });
  }
  variables.set("IFS", " \t\n");
  variables.set("OPTIND", "1");
  variables.set("PS4", "+ ");
  if (variables.value("PATH") === undefined) variables.set("PATH", DEFAULT_PATH);
  env.cwd = startDirectory(system, variables.value("PWD"));
  variables.set("PWD", env.cwd);
  if (shell.bash) setBashVariables(env);
  else {
    variables.set("PPID", String(system.ppid));
    variables.set("PS1", "$ ");
    variables.set("PS2", "> ");
  }
  return env;
}

/** Names that bash computes or sets: what the environment says of them does not count. */
function isComputed(name: string): boolean {
  return /^(?:BASHOPTS|SHELLOPTS|UID|EUID|PPID|BASH_VERSINFO|FUNCNAME|BASHPID|_)$/.test(name);
}

function setBashVariables(env: Environment): void {
  const { shell, variables } = env;
  const { system } = shell;
  const machine = system.machine ?? "x86_64";
  const set = (name: string, value: string): void => variables.set(name, value);
  for (const option of bashDefaults) env.options.set(option, true);
  for (const option of shoptDefaults) env.shellOptions.add(option);
  if (shell.interactive) {
    env.shellOptions.add("expand_aliases");
    set("PS1", variables.value("PS1") ?? "\\s-\\v\\$ ");
    set("PS2", variables.value("PS2") ?? "> ");
  }
  const level = Number(variables.value("SHLVL") ?? 0);
  set("SHLVL", String(Number.isSafeInteger(level) && level >= 0 ? level + 1 : 1));
  for (const name of ["SHLVL", "PWD"]) variables.setAttributes(name, { exported: true });
  if (variables.get("OLDPWD") === undefined) variables.setAttributes("OLDPWD", { exported: true });
  set("BASH", "/bin/bash");
  set("BASH_VERSION", versionText);
  const triple = `${machine}-pc-linux-gnu`;
  variables.setArray("BASH_VERSINFO", ShellArray.of([...versionParts, triple]));
  variables.setAttributes("BASH_VERSINFO", { readonly: true });
  set("HOSTTYPE", machine);
  set("MACHTYPE", triple);
  set("OSTYPE", "linux-gnu");
  set("OPTERR", "1");
  if (variables.value("HOSTNAME") === undefined)
    set("HOSTNAME", system.hostname?.() ?? "localhost");
  if (variables.value("TERM") === undefined) set("TERM", "dumb");
  const id = String(system.identity?.uid ?? 0);
  for (const [name, value] of [
    ["UID", id],
    ["EUID", id],
    ["PPID", String(system.ppid)],
  ] as const) {
    set(name, value);
    variables.setAttributes(name, { integer: true, readonly: true });
  }
}

/** What `export -f` of another shell left in the environment. */
function importFunction(env: Environment, name: string, value: string): void {
  if (!value.startsWith("() {")) return;
  const { aliases, shell, shellOptions } = env;
  const options = { bash: shell.bash, aliases, shellOptions, final: true, line: 1 };
  try {
    const command = new Parser(`${name} ${value}`, options).program();
    // Nothing but a definition is believed.
    if (command.kind !== "function" || command.name !== name) return;
    env.functions.set(name, {
      body: command.body,
      line: command.line,
      source: "environment",
      exported: true,
    });
  } catch {
    // As bash has it: a text that does not parse is no function.
  }
}

/** PWD, if it truly names the working directory: it may keep the links that led there. */
function startDirectory(system: ShellSystem, claimed: string | undefined): string {
  const actual = system.cwd();
  if (claimed === undefined || !claimed.startsWith("/") || /\/\.\.?(?:\/|$)/.test(claimed))
    return actual;
  if (claimed === actual) return actual;
  const a = system.stat(claimed);
  const b = system.stat(actual);
  if (typeof a === "number" || typeof b === "number") return actual;
  return a.dev === b.dev && a.ino === b.ino ? claimed : actual;
}
