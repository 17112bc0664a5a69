/** `help`, `enable`, `caller`, and the builtins of interactive use, of which a script gets bash's answer. */
import { stackOf } from "../call-stack.js";
import { compilePattern } from "../pattern.js";
import { versionBanner } from "../version.js";
import type { Builtin, BuiltinCall } from "./builtin.js";
import { synopses } from "./synopses.js";

const names = (): string[] => [...synopses.keys()].sort((a, b) => (a < b ? -1 : 1));

async function help(call: BuiltinCall): Promise<number> {
  const { flags, operands } = call.options("dms");
  if (operands.length === 0) {
    const banner = versionBanner(call.shell.system.machine ?? "x86_64");
    const lines = names().map((name) => ` ${synopses.get(name)!}\n`);
    return call.print(
      `${banner}These shell commands are defined internally.  Type \`help' to see this list.\n\n${lines.join("")}`,
    );
  }
  let status = 0;
  for (const operand of operands) {
    const pattern = compilePattern(operand);
    const exact = synopses.has(operand)
      ? [operand]
      : names().filter((name) => pattern.matches(name));
    const found = exact.length > 0 ? exact : names().filter((name) => name.startsWith(operand));
    if (found.length === 0) {
      status = await call.complain(
        `no help topics match \`${operand}'.  Try \`help help' or \`man -k ${operand}' or \`info ${operand}'.`,
      );
    }
    for (const name of found) await call.print(`${name}: ${synopses.get(name)!}\n`);
  }
  // Longer texts than the synopsis are not here.
  if (flags.has("d") || flags.has("m"))
    status = await call.complain("-d, -m: not available in this shell");
  return status;
}

async function enable(call: BuiltinCall): Promise<number> {
  const { env } = call;
  const { flags, operands } = call.options("adnpsf:");
  if (flags.has("f") || flags.has("d")) {
    return call.complain("loadable builtins are not available in this shell");
  }
  const { disabledBuiltins } = env;
  if (operands.length === 0 || flags.has("p")) {
    const chosen = [...call.shell.builtins.keys()]
      .sort((a, b) => (a < b ? -1 : 1))
      .filter((name) => !flags.has("s") || call.shell.builtins.get(name)?.special === true)
      .filter((name) => flags.has("a") || disabledBuiltins.has(name) === flags.has("n"));
    const lines = chosen.map(
      (name) => `enable ${disabledBuiltins.has(name) ? "-n " : ""}${name}\n`,
    );
    return call.print(lines.join(""));
  }
  let status = 0;
  for (const name of operands) {
    if (!call.shell.builtins.has(name))
      status = await call.complain(`${name}: not a shell builtin`);
    else if (flags.has("n")) disabledBuiltins.add(name);
    else disabledBuiltins.delete(name);
  }
  return status;
}

async function caller(call: BuiltinCall): Promise<number> {
  const frames = stackOf(call.env.frame);
  const [text] = call.args;
  if (text !== undefined && !/^\d+$/.test(text)) return call.misuse(`${text}: invalid number`);
  const level = Number(text ?? 0);
  const frame = frames[level];
  const outer = frames[level + 1];
  if (text === undefined) {
    if (frame === undefined || (frame.name === "main" && outer === undefined)) return 1;
    return call.print(`${frame.line} ${outer?.source ?? "NULL"}\n`);
  }
  if (frame === undefined || outer === undefined) return 1;
  return call.print(`${frame.line} ${outer.name} ${outer.source}\n`);
}

/** What was typed at this shell's terminal; of a shell that keeps no history there is nothing to tell. */
async function history(call: BuiltinCall): Promise<number> {
  const typed = call.shell.editor?.history;
  if (typed !== undefined && call.args.every((word) => word === "-c" || /^\d+$/.test(word))) {
    if (call.args.includes("-c")) typed.length = 0;
    const shown = call.args.length > 0 ? Number(call.args.at(-1)) || 0 : typed.length;
    const first = Math.max(0, typed.length - shown);
    const rows = typed
      .slice(first)
      .map((line, at) => `${String(first + at + 1).padStart(5)}  ${line}\n`);
    return call.print(rows.join(""));
  }
  const { flags, operands } = call.options("cd:anrwps");
  if (flags.has("p")) return call.print(operands.map((text) => `${text}\n`).join(""));
  if (flags.has("d")) return call.complain(`${flags.get("d")}: history position out of range`);
  if (["a", "n", "r", "w", "s"].some((letter) => flags.has(letter))) {
    return call.complain("history is not available in this shell");
  }
  return 0;
}

export const helpBuiltins: Record<string, Builtin> = {
  help: { run: help, bashOnly: true },
  enable: { run: enable, bashOnly: true },
  caller: { run: caller, bashOnly: true },
  history: { run: history, bashOnly: true },
  fc: {
    run: (call) => (call.args.length === 0 ? 0 : call.complain("no command found")),
    bashOnly: true,
  },
  bind: {
    run: async (call) => {
      await call.complain("warning: line editing not enabled");
      return 0;
    },
    bashOnly: true,
  },
  logout: {
    run: (call) => call.complain("not login shell: use `exit'"),
    bashOnly: true,
  },
  suspend: {
    run: (call) => call.complain("cannot suspend: no job control"),
    bashOnly: true,
  },
};
