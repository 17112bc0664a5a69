/** Owns the texts that are made from the table of commands: help, completion, the man page. */
import type { Flag } from "./arguments.js";
import { commands, flagsOf } from "./commands.js";
import type { Command } from "./commands.js";
import { machineFlags } from "./machine-options.js";

const widthChars = 96;
const indentChars = 34;

const exitCodes: readonly (readonly [string, string])[] = [
  ["0–255", "the program's own; 128 + n when signal n ended it, 137 at --timeout or a limit"],
  [
    "1",
    "secure-exec itself failed: the last line of stderr says why, with a code; typecheck: there are errors",
  ],
  ["2", "wrong usage"],
  ["126, 127", "exec: the command cannot be run, or is not there"],
];
const variables: readonly (readonly [string, string])[] = [
  ["DEBUG=secure-exec*", "log each decision, launch and tool call to stderr"],
  ["SECURE_EXEC_CGROUP", "a directory of cgroup v2 for the programs' groups, or off"],
  ["SECURE_EXEC_ENGINE", "the engine's binary, in the place of the installed one"],
  ["SECURE_EXEC_MCP_TOKEN", "the token of `mcp --http`"],
  ["NO_COLOR", "no bold type in help texts; programs at a terminal see it, too"],
];

/** Bold, where stdout is a terminal that wants it. */
const bold = (text: string): string =>
  process.stdout.isTTY === true && (process.env.NO_COLOR ?? "") === ""
    ? `\x1b[1m${text}\x1b[0m`
    : text;

function wrapped(text: string, indent: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > widthChars - indent) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\n${" ".repeat(indent)}`);
}

/** An option as it is written. */
export function spelling({ name, short, value, valueOptional }: Flag): string {
  const shown = value === undefined ? "" : valueOptional === true ? `[=${value}]` : ` ${value}`;
  return `${short === undefined ? "" : `-${short}, `}--${name}${shown}`;
}

function rows(list: readonly (readonly [string, string])[]): string {
  return list
    .map(([left, right]) => {
      const head = `  ${left}`;
      const gap =
        head.length < indentChars - 1
          ? " ".repeat(indentChars - head.length)
          : `\n${" ".repeat(indentChars)}`;
      return `${head}${gap}${wrapped(right, indentChars)}\n`;
    })
    .join("");
}

const flagRows = (flags: readonly Flag[]): string =>
  rows(flags.map((flag) => [spelling(flag), flag.help] as const));

/** `secure-exec --help`. */
export function overview(): string {
  return [
    `${bold("Usage:")} secure-exec COMMAND [options] …\n\n`,
    wrapped(
      "Runs untrusted Node.js code in virtual machines: each program is a real Node process that the operating system has locked in.",
      0,
    ),
    `\n\n${bold("Commands")}\n`,
    rows(commands.map(({ name, summary }) => [name, summary] as const)),
    rows([
      ["completion bash|zsh|fish", "print a script that completes these commands and options"],
    ]),
    rows([
      ["help [COMMAND]", "this text, or a command's, as COMMAND --help"],
      ["--version", "print the version"],
    ]),
    `\n${bold("Exit codes")}\n`,
    rows(exitCodes),
    `\n${bold("Variables")}\n`,
    rows(variables),
    `\n${bold("Examples")}\n`,
    ...commands
      .flatMap(({ examples }) => examples.slice(0, 1))
      .map(([text, what]) => `  secure-exec ${text}\n      ${what}\n`),
  ].join("");
}

/** `secure-exec COMMAND --help`. */
export function helpOf(command: Command): string {
  const { usage, description, flags, makesMachine, examples } = command;
  return [
    ...usage.map(
      (line, index) => `${index === 0 ? bold("Usage:") : "      "} secure-exec ${line}\n`,
    ),
    `\n${wrapped(description, 0)}\n`,
    ...(flags.length > 0 ? [`\n${bold("Options")}\n`, flagRows(flags)] : []),
    ...(makesMachine ? [`\n${bold("The machine")}\n`, flagRows(machineFlags)] : []),
    ...(examples.length > 0 ? [`\n${bold("Examples")}\n`] : []),
    ...examples.map(([text, what]) => `  secure-exec ${text}\n      ${what}\n`),
  ].join("");
}

const words = (command: Command): string =>
  [
    "--help",
    ...flagsOf(command).flatMap(({ name, short }) => [
      `--${name}`,
      ...(short === undefined ? [] : [`-${short}`]),
    ]),
  ].join(" ");

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const completions: Readonly<Record<string, () => string>> = {
  bash: () => `# secure-exec completion bash > /etc/bash_completion.d/secure-exec
_secure_exec() {
  local word=\${COMP_WORDS[COMP_CWORD]} words
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${commands.map(({ name }) => name).join(" ")} completion help --help --version"
  else
    case \${COMP_WORDS[1]} in
${commands.map((command) => `      ${command.name}) words="${words(command)}" ;;`).join("\n")}
      completion) words="bash zsh fish" ;;
      help) words="${commands.map(({ name }) => name).join(" ")}" ;;
    esac
  fi
  case $word in
    -*) COMPREPLY=($(compgen -W "$words" -- "$word")) ;;
    *) if [ "$COMP_CWORD" -eq 1 ] || [ "\${COMP_WORDS[1]}" = completion ] || [ "\${COMP_WORDS[1]}" = help ]; then
        COMPREPLY=($(compgen -W "$words" -- "$word"))
      else
        COMPREPLY=($(compgen -f -- "$word"))
      fi ;;
  esac
}
complete -o filenames -F _secure_exec secure-exec
`,
  zsh: () => `#compdef secure-exec
# secure-exec completion zsh > "\${fpath[1]}/_secure-exec"
_secure_exec() {
  local -a names
  names=(
${commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`).join("\n")}
    'completion:print a completion script' 'help:print help'
  )
  if (( CURRENT == 2 )); then _describe command names; return; fi
  case $words[2] in
${commands
  .map(
    (command) =>
      `    ${command.name}) _arguments ${flagsOf(command)
        .map(({ name, help, value }) =>
          quoted(
            `*--${name}[${help.replaceAll(/[[\]]/g, "")}]${value === undefined ? "" : ":value:_files"}`,
          ),
        )
        .join(" ")} '*:file:_files' ;;`,
  )
  .join("\n")}
    completion) _values shell bash zsh fish ;;
    help) (( CURRENT == 3 )) && _describe command names ;;
  esac
}
_secure_exec "$@"
`,
  fish: () =>
    `# secure-exec completion fish > ~/.config/fish/completions/secure-exec.fish
${commands.map(({ name, summary }) => `complete -c secure-exec -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`).join("\n")}
complete -c secure-exec -n __fish_use_subcommand -f -a completion -d 'print a completion script'
complete -c secure-exec -n __fish_use_subcommand -f -a help -d 'print help'
complete -c secure-exec -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'
complete -c secure-exec -n '__fish_seen_subcommand_from help' -f -a '${commands.map(({ name }) => name).join(" ")}'
${commands.flatMap((command) => flagsOf(command).map(({ name, short, help, value }) => `complete -c secure-exec -n '__fish_seen_subcommand_from ${command.name}' -l ${name}${short === undefined ? "" : ` -s ${short}`}${value === undefined ? "" : " -r"} -d ${quoted(help)}`)).join("\n")}
`,
};

/** The script for a shell; undefined for one that is not known. */
export function completionOf(shell: string): string | undefined {
  return Object.hasOwn(completions, shell) ? completions[shell]!() : undefined;
}

const roff = (text: string): string =>
  text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("…", "...")
    .replaceAll("–", "\\-")
    .replace(/^([.'])/gm, "\\&$1");

const manRows = (list: readonly (readonly [string, string])[]): string =>
  list.map(([left, right]) => `.TP\n.B ${roff(left)}\n${roff(right)}\n`).join("");

/** The manual page, in the macros of man(7). */
export function manPage(version: string): string {
  return [
    `.TH SECURE\\-EXEC 1 "" "secure\\-exec ${roff(version)}" "User Commands"\n`,
    ".SH NAME\nsecure\\-exec \\- run untrusted Node.js code in virtual machines\n.SH SYNOPSIS\n",
    commands
      .flatMap(({ usage }) => usage)
      .map((line) => `.B secure\\-exec\n${roff(line)}\n.br\n`)
      .join(""),
    ".SH DESCRIPTION\nEach program is a real Node process in a machine of its own; the operating system keeps it there. Nothing of the host is in a machine but what an option shows.\n",
    ".SH COMMANDS\n",
    ...commands.map(
      ({ name, description, flags }) =>
        `.SS ${roff(name)}\n${roff(description)}\n${manRows(flags.map((flag) => [spelling(flag), flag.help] as const))}`,
    ),
    ".SH OPTIONS OF A MACHINE\nEvery command but doctor takes them.\n",
    manRows(machineFlags.map((flag) => [spelling(flag), flag.help] as const)),
    ".SH EXIT STATUS\n",
    manRows(exitCodes),
    ".SH ENVIRONMENT\n",
    manRows(variables),
    ".SH EXAMPLES\n",
    ...commands
      .flatMap(({ examples }) => examples)
      .map(([text, what]) => `.TP\n.B secure\\-exec ${roff(text)}\n${roff(what)}\n`),
  ].join("");
}
