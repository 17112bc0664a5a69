/** Owns time in words: `time`, TIMEFORMAT, and the conversions of strftime that `printf` and prompts use. */
import type { Environment } from "./environment.js";
import type { Interpreter } from "./interpreter.js";
import { encodeText } from "./text.js";

const STANDARD = "\nreal\t%3lR\nuser\t%3lU\nsys\t%3lS";
const POSIX = "real %2R\nuser %2U\nsys %2S";

/** Runs a pipeline and tells on standard error how long it took. */
export async function timed(
  { system }: Interpreter,
  env: Environment,
  posix: boolean,
  run: () => Promise<number>,
): Promise<number> {
  const startMs = system.nowMs();
  const before = system.cpuTimes();
  const status = await run();
  const after = system.cpuTimes();
  const times = {
    R: system.nowMs() - startMs,
    U: after.userMs + after.childUserMs - before.userMs - before.childUserMs,
    S: after.systemMs + after.childSystemMs - before.systemMs - before.childSystemMs,
  };
  const format = posix ? POSIX : (env.variables.value("TIMEFORMAT") ?? STANDARD);
  if (format !== "") await env.descriptors.get(2)?.write(encodeText(`${report(format, times)}\n`));
  return status;
}

function report(format: string, times: Readonly<Record<"R" | "U" | "S", number>>): string {
  return format.replace(
    /%(%|P|([0-9]?)(l?)([RUS]))/g,
    (_, code: string, digits: string, long: string, which: "R" | "U" | "S") => {
      if (code === "%") return "%";
      if (code === "P") {
        const share = times.R > 0 ? ((times.U + times.S) / times.R) * 100 : 0;
        return Math.min(share, 100).toFixed(2);
      }
      const seconds = times[which] / 1000;
      const places = Math.min(digits === "" ? 3 : Number(digits), 3);
      if (long === "") return seconds.toFixed(places);
      return `${Math.floor(seconds / 60)}m${(seconds % 60).toFixed(places)}s`;
    },
  );
}

const monthNames =
  "January February March April May June July August September October November December".split(
    " ",
  );
const dayNames = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

/** strftime() in the C locale; the time zone is the process's. */
export function formatTime(format: string, date: Date): string {
  return format.replace(/%[-_0^]?([a-zA-Z%+])/g, (whole, letter: string) => {
    const text = convert(letter, date);
    if (text === undefined) return whole;
    const flag = whole.length > 2 ? whole[1] : "";
    if (flag === "-") return text.replace(/^[0 ]+(?=\d)/, "");
    if (flag === "_") return text.replace(/^0+(?=\d)/, (zeros) => " ".repeat(zeros.length));
    return flag === "^" ? text.toUpperCase() : text;
  });
}

function convert(letter: string, date: Date): string | undefined {
  const two = (value: number, fill = "0"): string => String(value).padStart(2, fill);
  const hours = date.getHours();
  const yearDay = Math.round(
    (new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime() -
      new Date(date.getFullYear(), 0, 1).getTime()) /
      86_400_000,
  );
  switch (letter) {
    case "a":
      return dayNames[date.getDay()]!.slice(0, 3);
    case "A":
      return dayNames[date.getDay()];
    case "b":
    case "h":
      return monthNames[date.getMonth()]!.slice(0, 3);
    case "B":
      return monthNames[date.getMonth()];
    case "c":
      return formatTime("%a %b %e %H:%M:%S %Y", date);
    case "C":
      return two(Math.floor(date.getFullYear() / 100));
    case "d":
      return two(date.getDate());
    case "D":
    case "x":
      return formatTime("%m/%d/%y", date);
    case "e":
      return two(date.getDate(), " ");
    case "F":
      return formatTime("%Y-%m-%d", date);
    case "G":
      return String(isoWeek(date).year);
    case "g":
      return two(isoWeek(date).year % 100);
    case "H":
      return two(hours);
    case "I":
      return two(hours % 12 || 12);
    case "j":
      return String(yearDay + 1).padStart(3, "0");
    case "k":
      return two(hours, " ");
    case "l":
      return two(hours % 12 || 12, " ");
    case "m":
      return two(date.getMonth() + 1);
    case "M":
      return two(date.getMinutes());
    case "n":
      return "\n";
    case "p":
      return hours < 12 ? "AM" : "PM";
    case "P":
      return hours < 12 ? "am" : "pm";
    case "r":
      return formatTime("%I:%M:%S %p", date);
    case "R":
      return formatTime("%H:%M", date);
    case "s":
      return String(Math.floor(date.getTime() / 1000));
    case "S":
      return two(date.getSeconds());
    case "t":
      return "\t";
    case "T":
    case "X":
      return formatTime("%H:%M:%S", date);
    case "u":
      return String(date.getDay() || 7);
    case "U":
      return two(Math.floor((yearDay + 7 - date.getDay()) / 7));
    case "V":
      return two(isoWeek(date).week);
    case "w":
      return String(date.getDay());
    case "W":
      return two(Math.floor((yearDay + 7 - ((date.getDay() + 6) % 7)) / 7));
    case "y":
      return two(date.getFullYear() % 100);
    case "Y":
      return String(date.getFullYear());
    case "z":
      return zone(date);
    case "Z":
      return zoneName(date);
    case "%":
      return "%";
    default:
      return undefined;
  }
}

function zone(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const sign = minutes < 0 ? "-" : "+";
  const size = Math.abs(minutes);
  return `${sign}${String(Math.floor(size / 60)).padStart(2, "0")}${String(size % 60).padStart(2, "0")}`;
}

function zoneName(date: Date): string {
  if (date.getTimezoneOffset() === 0) return "UTC";
  const parts = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" }).formatToParts(date);
  return parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
}

/** The week of ISO 8601: the one with the year's first Thursday is the first. */
function isoWeek(date: Date): { year: number; week: number } {
  const thursday = new Date(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()));
  thursday.setUTCDate(thursday.getUTCDate() + 3 - ((thursday.getUTCDay() + 6) % 7));
  const year = thursday.getUTCFullYear();
  const days = (thursday.getTime() - Date.UTC(year, 0, 1)) / 86_400_000;
  return { year, week: Math.floor(days / 7) + 1 };
}
