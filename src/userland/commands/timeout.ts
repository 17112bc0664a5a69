/** Owns `timeout`. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import type { Command } from "../command.js";
import { parseDuration } from "../support/duration.js";
import { codeText, errorCode } from "../support/errors.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { signalName } from "../support/signals.js";
import { quoted } from "../support/text.js";

export const main: Command = async (context) => {
  const options = parseOptions(
    context,
    "k:s:v",
    {
      "kill-after=": "k",
      "signal=": "s",
      verbose: "v",
      foreground: "foreground",
      "preserve-status": "preserve",
    },
    { stopAtOperand: true, status: 125 },
  );
  const [limit, file, ...args] = options.operands;
  if (limit === undefined || file === undefined) {
    context.writeError("Try 'timeout --help' for more information.\n");
    return 125;
  }
  const duration = (text: string): number => {
    const ms = parseDuration(text);
    if (ms === undefined) throw usageFailure(context, `invalid time interval ${quoted(text)}`, 125);
    return ms;
  };
  const limitMs = duration(limit);
  const killAfterMs = options.has("k") ? duration(options.get("k")!) : 0;
  const signal = signalName(options.get("s") ?? "TERM");
  if (signal === undefined) {
    throw usageFailure(context, `${quoted(options.get("s")!)}: invalid signal`, 125);
  }
  context.flush();
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: "inherit", env: context.env });
    let timedOut = false;
    let isKilling = false;
    const timers: NodeJS.Timeout[] = [];
    // 0 is no limit; setTimeout would read anything above its range as 1 ms.
    const later = (ms: number, run: () => void) => {
      if (ms > 0 && ms <= 0x7fffffff) timers.push(setTimeout(run, ms));
    };
    const send = (name: NodeJS.Signals) => {
      if (options.has("v")) {
        context.writeError(`timeout: sending signal ${name.slice(3)} to command ${quoted(file)}\n`);
      }
      isKilling ||= name === "SIGKILL";
      child.kill(name);
    };
    const forward = (name: NodeJS.Signals) => void child.kill(name);
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, forward);
    later(limitMs, () => {
      timedOut = true;
      send(signal);
      later(killAfterMs, () => send("SIGKILL"));
    });
    const done = (status: number) => {
      for (const timer of timers) clearTimeout(timer);
      resolve(status);
    };
    child.on("error", (error) => {
      const code = errorCode(error) ?? "EIO";
      context.writeError(`timeout: failed to run command ${quoted(file)}: ${codeText(code)}\n`);
      done(code === "ENOENT" ? 127 : 126);
    });
    child.on("exit", (code, by) => {
      const number = by === null ? 0 : constants.signals[by];
      if (!timedOut || (options.has("preserve") && !isKilling)) return done(code ?? 128 + number);
      // GNU's sends what it sends to its group, and so to itself; SIGKILL is the one that it does not survive.
      if (isKilling && !options.has("foreground")) process.kill(process.pid, "SIGKILL");
      done(by === "SIGKILL" ? 137 : 124);
    });
  });
};
