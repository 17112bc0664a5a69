/** Owns time in words: `time`, TIMEFORMAT, and the conversions of strftime that `printf` and prompts use. */
import type { Environment } from "./environment.js";
import type { Interpreter } from "./interpreter.js";
import { composed } from "../support/strftime.js";
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

const two = (value: number, fill = "0"): string => String(value).padStart(2, fill);
const hour12 = (date: Date): number => date.getHours() % 12 || 12;

/** Days since the first of January. */
function yearDay(date: Date): number {
  return Math.round(
    (new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime() -
      new Date(date.getFullYear(), 0, 1).getTime()) /
      86_400_000,
  );
}

/** The week that a day is in, when weeks begin on the day that `weekday` counts as 0. */
function weekOfYear(date: Date, weekday: number): number {
  return Math.floor((yearDay(date) + 7 - weekday) / 7);
}

const conversions = new Map<string, (date: Date) => string>([
  ["a", (date) => dayNames[date.getDay()]!.slice(0, 3)],
  ["A", (date) => dayNames[date.getDay()]!],
  ["b", (date) => monthNames[date.getMonth()]!.slice(0, 3)],
  ["h", (date) => monthNames[date.getMonth()]!.slice(0, 3)],
  ["B", (date) => monthNames[date.getMonth()]!],
  ["C", (date) => two(Math.floor(date.getFullYear() / 100))],
  ["d", (date) => two(date.getDate())],
  ["e", (date) => two(date.getDate(), " ")],
  ["G", (date) => String(isoWeek(date).year)],
  ["g", (date) => two(isoWeek(date).year % 100)],
  ["H", (date) => two(date.getHours())],
  ["I", (date) => two(hour12(date))],
  ["j", (date) => String(yearDay(date) + 1).padStart(3, "0")],
  ["k", (date) => two(date.getHours(), " ")],
  ["l", (date) => two(hour12(date), " ")],
  ["m", (date) => two(date.getMonth() + 1)],
  ["M", (date) => two(date.getMinutes())],
  ["n", () => "\n"],
  ["p", (date) => (date.getHours() < 12 ? "AM" : "PM")],
  ["P", (date) => (date.getHours() < 12 ? "am" : "pm")],
  ["s", (date) => String(Math.floor(date.getTime() / 1000))],
  ["S", (date) => two(date.getSeconds())],
  ["t", () => "\t"],
  ["u", (date) => String(date.getDay() || 7)],
  ["U", (date) => two(weekOfYear(date, date.getDay()))],
  ["V", (date) => two(isoWeek(date).week)],
  ["w", (date) => String(date.getDay())],
  ["W", (date) => two(weekOfYear(date, (date.getDay() + 6) % 7))],
  ["y", (date) => two(date.getFullYear() % 100)],
  ["Y", (date) => String(date.getFullYear())],
  ["z", zone],
  ["Z", zoneName],
  ["%", () => "%"],
]);

function convert(letter: string, date: Date): string | undefined {
  const format = composed.get(letter);
  return format === undefined ? conversions.get(letter)?.(date) : formatTime(format, date);
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
