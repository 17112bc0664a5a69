/** Owns `uptime` and `w` without users: how long the VM has been up. */
import type { Command } from "../command.js";
import { parseOptions } from "../support/options.js";
import { readText, uptimeSeconds } from "../support/processes.js";
import { strftime } from "../support/strftime.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "psV", { pretty: "p", since: "s" });
  const seconds = uptimeSeconds(context);
  if (options.has("s")) {
    context.write(`${strftime("%Y-%m-%d %H:%M:%S", Date.now() - seconds * 1000, false)}\n`);
    return 0;
  }
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? "" : "s"}`;
  if (options.has("p")) {
    const parts = [
      days > 0 ? plural(days, "day") : "",
      hours > 0 ? plural(hours, "hour") : "",
      plural(minutes, "minute"),
    ];
    context.write(`up ${parts.filter((part) => part !== "").join(", ")}\n`);
    return 0;
  }
  const up =
    (days > 0 ? `${plural(days, "day")}, ` : "") +
    (hours > 0
      ? `${String(hours).padStart(2)}:${String(minutes).padStart(2, "0")}`
      : `${minutes} min`);
  const load =
    readText(context, "/proc/loadavg").split(" ").slice(0, 3).join(", ") || "0.00, 0.00, 0.00";
  context.write(
    ` ${strftime("%H:%M:%S", Date.now(), false)} up ${up},  0 users,  load average: ${load}\n`,
  );
  return 0;
};
