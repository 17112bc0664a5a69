#!/usr/bin/env node
/**
 * Owns the command line: which command is meant, and the process's exit code.
 * Exit codes: the program's for what runs one, 1 when something failed, 2 for wrong usage.
 * Untrusted: nothing; a program's text is only ever handed to a virtual machine.
 */
import { readFileSync } from "node:fs";
import { meantBy, printable, SecureExecError } from "../sdk/errors.js";
import { readArguments, UsageError } from "./arguments.js";
import { commands, flagsOf } from "./commands.js";
import { completionOf, helpOf, overview } from "./help.js";

/** Texts that are no command of the table. */
const others = ["completion", "help", "--help", "--version"];

const completionHelp = `Usage: secure-exec completion bash|zsh|fish

Prints a script that completes commands and options.

Examples
  source <(secure-exec completion bash)
      for this shell; put the line into ~/.bashrc for all
  secure-exec completion fish > ~/.config/fish/completions/secure-exec.fish
      for fish
`;

const asksForHelp = (word: string | undefined): boolean => word === "--help" || word === "-h";

function version(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

function say(text: string): number {
  process.stdout.write(text);
  return 0;
}

function commandOf(name: string): (typeof commands)[number] {
  const command = commands.find((one) => one.name === name);
  if (command !== undefined) return command;
  const meant = meantBy(name, [...commands.map((one) => one.name), ...others]);
  const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
  throw new UsageError(`unknown command ${printable(name)}${hint}`);
}

async function main([name, ...words]: string[]): Promise<number> {
  switch (name) {
    case "--version":
    case "-v":
      return say(`${version()}\n`);
    case "--help":
    case "-h":
      return say(overview());
    case "help":
      if (words[0] === undefined || asksForHelp(words[0]) || others.includes(words[0]))
        return say(overview());
      return say(helpOf(commandOf(words[0])));
    case "completion": {
      if (asksForHelp(words[0])) return say(completionHelp);
      const script = completionOf(words[0] ?? "");
      if (script === undefined) throw new UsageError("completion needs bash, zsh or fish");
      return say(script);
    }
    case undefined:
      throw new UsageError("a command is missing");
  }
  const command = commandOf(name);
  const help = { name: "help", short: "h", help: "this text" };
  const given = readArguments(words, [...flagsOf(command), help], command.stopsAtFirst);
  return given.given.has("help") ? say(helpOf(command)) : command.perform(given);
}

function report(error: unknown, name: string | undefined): number {
  const print = (text: string): boolean => process.stderr.write(`${text}\n`);
  if (error instanceof UsageError) {
    print(`secure-exec: ${error.message}`);
    const known = commands.some((one) => one.name === name);
    print(`Try: secure-exec ${known ? `${name} ` : ""}--help`);
    return 2;
  }
  if (!SecureExecError.isSecureExecError(error)) {
    print(`secure-exec: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
  print(`secure-exec: ${error.message} [${error.code}]`);
  const stderr = error.details?.stderr;
  if (typeof stderr === "string" && stderr !== "") print(stderr.trimEnd());
  if (error.remedy !== "") print(`secure-exec: ${error.remedy}`);
  return error.code === "ERR_SECURE_EXEC_INVALID_OPTION" ? 2 : 1;
}

const [name] = process.argv.slice(2);
main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => process.exit(report(error, name)),
);
