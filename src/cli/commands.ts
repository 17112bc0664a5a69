/**
 * Owns the table of commands: what each is called and takes, what its help says, and what it does. Help
 * texts, completion and the man page are made from it. What a command alone needs, it loads when it runs: the others,
 * and their help, do not wait for it.
 */
import type { Arguments, Flag } from "./arguments.js";
import { audit, auditFlags } from "./audit.js";
import { doctor } from "./doctor.js";
import { machineFlags } from "./machine-options.js";
import { mcp, mcpFlags } from "./mcp.js";
import { playground, playgroundFlags } from "./playground.js";
import { exec, programFlags, run, runFlags } from "./run.js";
import { serve, serveFlags } from "./serve.js";
import { shell } from "./shell.js";
import { typecheck, typecheckFlags } from "./typecheck.js";
import { fleet } from "./fleet.js";
import { worker } from "./worker.js";
import { restore, restoreFlags, snapshot, snapshotFlags } from "./snapshot.js";

/** Options that say where the broker is and who asks. */
const brokerFlags: readonly Flag[] = [
  { name: "nats", value: "URL[,URL…]", repeated: true, help: "the servers of the broker (needed)" },
  { name: "credentials", value: "FILE", help: "who asks" },
  { name: "tls-ca", value: "FILE", help: "certificates that the broker's is checked by" },
  { name: "tls-cert", value: "FILE", help: "the certificate of who asks, with --tls-key" },
  { name: "tls-key", value: "FILE", help: "its key" },
  { name: "subject", value: "PREFIX", help: "what the fleet's subjects begin with" },
  { name: "inbox-prefix", value: "PREFIX", help: "what answers' subjects begin with" },
];

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** Lines after the name of the program. */
  readonly usage: readonly string[];
  readonly description: string;
  readonly flags: readonly Flag[];
  /** Whether it makes a machine, and so takes the options of one. */
  readonly makesMachine: boolean;
  /** What comes after its first argument belongs to a program. */
  readonly stopsAtFirst: boolean;
  /** Examples, each with what it does. */
  readonly examples: readonly (readonly [command: string, what: string])[];
  readonly perform: (given: Arguments) => Promise<number>;
}

export const commands: readonly Command[] = [
  {
    name: "run",
    summary: "run a JavaScript or TypeScript file in a machine of its own",
    usage: [
      "run [options] FILE [args…]",
      "run [options] - [args…]",
      "run [options] --eval CODE [args…]",
    ],
    description:
      "The program sees only the machine: nothing of the host is there but what an option shows. Its stdin, stdout, stderr and exit code are this command's, signals are passed on, and at a terminal it has a terminal. TypeScript is stripped of its types, or compiled where it has enums and the like.",
    flags: [...programFlags, ...runFlags],
    makesMachine: true,
    stopsAtFirst: true,
    examples: [
      ["run script.mjs --verbose", "a file with an argument"],
      ["run --project . src/main.ts", "a file with what is beside it, read-only"],
      [
        "run --allow-net=api.example.com:443 --timeout 30s bot.mjs",
        "one host of the network, half a minute",
      ],
      ["run --json --eval '__return(6 * 7)'", "the value, output and bill as JSON"],
    ],
    perform: run,
  },
  {
    name: "exec",
    summary: "run a command of the machine",
    usage: ["exec [options] [--] COMMAND [args…]"],
    description:
      "COMMAND is an executable file of the machine, looked for in its PATH: sh, node, and about 170 others. Exit code 127 where there is none, 126 where it cannot be run.",
    flags: runFlags,
    makesMachine: true,
    stopsAtFirst: true,
    examples: [
      ["exec -- sh -c 'ls /usr/bin | wc -l'", "a command line"],
      ["exec -v ~/data:/data -- grep -rn TODO /data", "over files of the host, read-only"],
    ],
    perform: exec,
  },
  {
    name: "shell",
    summary: "open a shell in a machine, at this terminal",
    usage: ["shell [options] [COMMAND [args…]]"],
    description:
      "bash, or COMMAND, in a terminal of the machine that is this one. ^D or exit ends it.",
    flags: [],
    makesMachine: true,
    stopsAtFirst: true,
    examples: [["shell --project .", "look around with the files of this directory at /app"]],
    perform: shell,
  },
  {
    name: "audit",
    summary: "run a program and print what it asked for, or the least permissions it needs",
    usage: ["audit [options] FILE [args…]", "audit [options] -- COMMAND [args…]"],
    description:
      "Without permissions nothing is denied, and the report says what would be. The program's output goes to stderr, the report to stdout.",
    flags: auditFlags,
    makesMachine: true,
    stopsAtFirst: true,
    examples: [
      ["audit script.mjs", "every request, and the rule that decided it"],
      ["audit --learn script.mjs > needs.json", "permissions for `run --permissions needs.json`"],
    ],
    perform: audit,
  },
  {
    name: "snapshot",
    summary: "write the files of a machine to an archive that --snapshot takes",
    usage: ["snapshot [options] --output FILE [-- COMMAND [args…]]"],
    description:
      "Makes a machine, copies what --copy names into it, runs COMMAND in it if there is one, and writes its files. Nothing is written when the command fails.",
    flags: snapshotFlags,
    makesMachine: true,
    stopsAtFirst: false,
    examples: [
      [
        "snapshot -o base.tar --copy ./site:/srv/site -- sh -c 'cd /srv/site && node build.mjs'",
        "a machine with a built site",
      ],
      ["exec --snapshot base.tar -- ls /srv/site", "one that begins with it"],
    ],
    perform: snapshot,
  },
  {
    name: "restore",
    summary: "make a machine of an archive, run a command in it, copy files out of it",
    usage: ["restore [options] ARCHIVE [[--] COMMAND [args…]]"],
    description:
      "ARCHIVE is what `snapshot` wrote, on any host. COMMAND runs in a machine with its files, and then what --copy names is copied to the host; nothing is when the command fails. One that is damaged or cut off is refused as a whole. The archive is not changed.",
    flags: restoreFlags,
    makesMachine: true,
    stopsAtFirst: true,
    examples: [
      ["restore base.tar -- sh -c 'ls -l /srv/site'", "a command over the files of an archive"],
      ["restore --copy /srv/site:./out base.tar", "files of an archive, on the host"],
    ],
    perform: restore,
  },
  {
    name: "serve",
    summary: "serve machines to clients of another system: e2b's SDKs",
    usage: ["serve --e2b [PORT] [options]"],
    description:
      "Prints the variables that an unmodified e2b SDK is pointed here with, and serves until it is interrupted. Each sandbox is a machine of the options given here; clients cannot open more. On 127.0.0.1 unless --host says otherwise. SECURE_EXEC_E2B_KEY is the key that clients give, otherwise a random one is printed.",
    flags: serveFlags,
    makesMachine: true,
    stopsAtFirst: false,
    examples: [
      ["serve --e2b 7700", "on a port; the client's variables are printed"],
      ["serve --e2b --allow-net=registry.npmjs.org", "sandboxes that reach one host"],
    ],
    perform: serve,
  },
  {
    name: "typecheck",
    summary: "check TypeScript with the installed compiler, in a machine",
    usage: ["typecheck [options] [DIR]", "typecheck [options] FILE…"],
    description:
      "Checks a project by its tsconfig.json, read-only, or files each by itself. The compiler is the package typescript (5.x or 6.x) of the working directory; neither it nor the code sees anything else of the host. Prints what tsc prints; the exit code is 1 when there are errors.",
    flags: typecheckFlags,
    makesMachine: false,
    stopsAtFirst: false,
    examples: [
      ["typecheck plugins/", "a project"],
      ["typecheck upload.ts", "a file that somebody has sent"],
    ],
    perform: typecheck,
  },
  {
    name: "mcp",
    summary: "serve the Model Context Protocol on stdin and stdout, or on a port of loopback",
    usage: ["mcp [options]", "mcp [options] --http [PORT]"],
    description:
      "Tools run_code, run_command, read_file, write_file, list_files, in machines with these options. SECURE_EXEC_MCP_TOKEN is the token that clients of the port have to send.",
    flags: mcpFlags,
    makesMachine: true,
    stopsAtFirst: false,
    examples: [["mcp --allow-net --memory 1g", "for a client that starts its servers"]],
    perform: mcp,
  },
  {
    name: "playground",
    summary: "serve a page with an editor, a terminal and the machine's insides, on loopback",
    usage: ["playground [options] [FILE]"],
    description:
      "Prints an address with a secret in it; the page is there for whoever knows that, until a signal comes. FILE is what the editor begins with. The machine has these options; the page can change its permissions.",
    flags: playgroundFlags,
    makesMachine: true,
    stopsAtFirst: false,
    examples: [
      ["playground --project . src/main.ts", "try a program with what is beside it, read-only"],
    ],
    perform: playground,
  },
  {
    name: "worker",
    summary: "serve machines of a fleet from this host, until SIGTERM",
    usage: ["worker --nats URL[,URL…] [options]"],
    description:
      "Makes machines for hosts that ask over the broker; see docs/fleet.md. SIGTERM lets what runs end first.",
    flags: [
      ...brokerFlags,
      {
        name: "capacity",
        value: "machines=N,reserve=SIZE",
        repeated: true,
        help: "how many machines, and memory left alone",
      },
      { name: "labels", value: "NAME=VALUE,…", repeated: true, help: "what hosts may ask for" },
      { name: "name", value: "NAME", help: "how it is called in lists" },
      {
        name: "metrics",
        value: "[HOST:]PORT",
        help: "metrics over HTTP, on loopback unless HOST says otherwise",
      },
      {
        name: "drain-timeout",
        value: "SECONDS",
        help: "how long SIGTERM waits for programs; 30 by default",
      },
      {
        name: "mounts",
        value: "DIRECTORY",
        repeated: true,
        help: "machines may mount what is below it",
      },
      {
        name: "leases",
        value: "auto|beats",
        help: "auto also keeps them in the broker's store, where it has JetStream",
      },
      { name: "loopback-ports", help: "machines may open ports of this host's loopback" },
    ],
    makesMachine: false,
    stopsAtFirst: false,
    examples: [
      ["worker --nats nats://broker:4222 --capacity machines=20", "twenty machines for a fleet"],
    ],
    perform: ({ words }) => worker([...words]),
  },
  {
    name: "fleet",
    summary: "list the workers and machines of a fleet, and end some",
    usage: [
      "fleet status --nats URL [--machines] [options]",
      "fleet revoke --nats URL --lease ID [options]",
    ],
    description:
      "Exit code 1 when no worker is there. Machines are known where the broker has JetStream; see docs/fleet.md.",
    flags: [
      ...brokerFlags,
      {
        name: "wait",
        value: "MILLISECONDS",
        help: "how long to listen for workers; 1200 by default",
      },
      { name: "json", help: "print the list as JSON" },
      { name: "machines", help: "list machines by who holds them" },
      {
        name: "lease",
        value: "ID[,ID…]",
        repeated: true,
        help: "of revoke: the machine that is to end, or the worker that is to drain",
      },
    ],
    makesMachine: false,
    stopsAtFirst: false,
    examples: [
      ["fleet status --nats nats://broker:4222", "who is there, and what is free"],
      ["fleet revoke --nats nats://broker:4222 --lease 5f1d3c9a0b2e", "ends one machine"],
    ],
    perform: ({ words }) => fleet(words),
  },
  {
    name: "doctor",
    summary: "check what this host offers, and run a self test",
    usage: ["doctor [--json] [--nats URL]"],
    description:
      "Prints each layer of isolation and whether it is there, the engine or the command that installs it, and runs a program; with --nats also the broker, where leases of a fleet can be kept, and its workers. Exit code 1 where something required is missing.",
    flags: [
      { name: "json", help: "print the report as JSON" },
      ...brokerFlags.map((flag) =>
        flag.name === "nats" ? { ...flag, help: "the servers of a fleet's broker" } : flag,
      ),
    ],
    makesMachine: false,
    stopsAtFirst: false,
    examples: [
      ["doctor --nats nats://broker:4222", "also what a fleet's callers and workers need"],
    ],
    perform: doctor,
  },
];

/** Every option of a command. */
export const flagsOf = ({ flags, makesMachine }: Command): readonly Flag[] =>
  makesMachine ? [...flags, ...machineFlags] : flags;
