#!/usr/bin/env node
/**
 * Owns the command line: which command is meant, and the process's exit code.
 * Exit codes: the guest's for `run`, 1 when something failed, 2 for wrong usage.
 * Untrusted: nothing; FILE's text is only ever handed to a virtual machine.
 */
import { readFileSync } from "node:fs";
import { printable, SecureExecError } from "../sdk/errors.js";
import { doctor } from "./doctor.js";
import { fleet } from "./fleet.js";
import { mcp } from "./mcp.js";
import { runFile } from "./run.js";
import { shell } from "./shell.js";
import { UsageError } from "./options.js";
import { worker } from "./worker.js";

const help = `Usage:
  secure-exec run [--audit LOG] FILE [args...]
                                   run a JavaScript or TypeScript file in a virtual machine;
                                   LOG gets every decision of its policy, as lines of JSON
  secure-exec mcp [--http [PORT]]  serve the Model Context Protocol on stdin and stdout, or on a port
                                   of 127.0.0.1; SECURE_EXEC_MCP_TOKEN is the token for the port
  secure-exec shell [COMMAND [args...]]
                                   open a shell, or a command, in a virtual machine at this terminal
  secure-exec worker --nats URL[,URL...] [--credentials FILE] [--capacity machines=N,reserve=SIZE]
                     [--labels a=b,...] [--name NAME] [--metrics [HOST:]PORT] [--drain-timeout SECONDS]
                     [--mounts DIRECTORY]... [--loopback-ports] [--subject PREFIX]
                     [--tls-ca FILE] [--tls-cert FILE --tls-key FILE]
                                   serve machines of a fleet from this machine until SIGTERM; docs/fleet.md
  secure-exec fleet status --nats URL [--json] [--credentials FILE] ...
                                   list the workers of a fleet
  secure-exec doctor               check what this machine offers, and run a self test
  secure-exec --version
  secure-exec --help

The program sees only the virtual machine. Its stdin, stdout, stderr and exit
code are connected to this command's; SIGINT, SIGTERM and SIGHUP are passed on.
`;

function version(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

function usageError(problem: string): number {
  process.stderr.write(`secure-exec: ${problem}\n\n${help}`);
  return 2;
}

async function main([command, ...rest]: string[]): Promise<number> {
  switch (command) {
    case "run": {
      const audited = rest[0] === "--audit";
      const [audit] = audited ? rest.slice(1) : [];
      const [file, ...args] = audited ? rest.slice(2) : rest;
      if (file === undefined) return usageError("run needs a FILE");
      if (file.startsWith("-")) return usageError(`unknown option ${printable(file)}`);
      return runFile(file, args, audit);
    }
    case "shell": {
      const [program, ...args] = rest;
      if (program?.startsWith("-") === true)
        return usageError(`unknown option ${printable(program)}`);
      return shell(program, args);
    }
    case "mcp":
      return (await mcp(rest)) ?? usageError("mcp takes nothing, or --http and a port");
    case "worker":
      return worker(rest);
    case "fleet":
      return fleet(rest);
    case "doctor":
      return rest.length === 0 ? doctor() : usageError("doctor takes no arguments");
    case "--version":
    case "-v":
      process.stdout.write(`${version()}\n`);
      return 0;
    case "--help":
    case "-h":
    case "help":
      process.stdout.write(help);
      return 0;
    case undefined:
      return usageError("a command is missing");
    default:
      return usageError(`unknown command ${printable(command)}`);
  }
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    if (error instanceof UsageError) process.exit(usageError(printable(error.message)));
    const known = SecureExecError.isSecureExecError(error);
    process.stderr.write(
      `secure-exec: ${known ? `${error.message} [${error.code}]` : String(error)}\n`,
    );
    const stderr = known ? error.details?.stderr : undefined;
    if (typeof stderr === "string" && stderr !== "") process.stderr.write(`${stderr.trimEnd()}\n`);
    process.exit(1);
  },
);
