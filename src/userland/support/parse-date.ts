/** Owns reading dates as date -d and touch -d do: ISO and common forms, epochs, and relative words. */
import { dayNames, monthNames } from "./strftime.js";

const unitsMs = new Map([
  ["sec", 1000],
  ["second", 1000],
  ["min", 60_000],
  ["minute", 60_000],
  ["hour", 3_600_000],
  ["day", 86_400_000],
  ["week", 604_800_000],
  ["fortnight", 1_209_600_000],
]);
const numbers = new Map([
  ["last", -1],
  ["this", 0],
  ["next", 1],
  ["a", 1],
  ["an", 1],
]);

/** In ms since the epoch; undefined when the text is no date. */
export function parseDate(text: string, now: Date, utc = false): number | undefined {
  const epoch = /^\s*@(-?\d+(?:\.\d+)?)\s*$/.exec(text);
  if (epoch !== null) return Number(epoch[1]) * 1000;
  return new DateReader(now, utc).read(text.trim());
}

class DateReader {
  #date: [number, number, number] | undefined;
  #time: [number, number, number, number] | undefined;
  #offsetMinutes: number | undefined;
  #weekday: { day: number; weeks: number } | undefined;
  #months = 0;
  #days = 0;
  #ms = 0;

  constructor(
    private readonly now: Date,
    private utc: boolean,
  ) {}

  read(text: string): number | undefined {
    let rest = text;
    while (rest !== "") {
      const length = this.#item(rest);
      if (length === 0) return undefined;
      rest = rest.slice(length).replace(/^[\s,]+/, "");
    }
    return this.#result(text === "");
  }

  /** Takes one item from the start; how long it is, 0 for none. */
  #item(rest: string): number {
    return (
      this.#dateItem(rest) ||
      this.#timeItem(rest) ||
      this.#zoneItem(rest) ||
      this.#relativeItem(rest)
    );
  }

  #setDate(year: number, month: number, day: number): boolean {
    const lengths = [
      31,
      year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28,
      31,
      30,
      31,
      30,
      31,
      31,
      30,
      31,
      30,
      31,
    ];
    if (this.#date !== undefined || month < 1 || month > 12) return false;
    if (day < 1 || day > lengths[month - 1]!) return false;
    this.#date = [year, month, day];
    return true;
  }

  #dateItem(rest: string): number {
    const iso = /^(\d{4})-(\d{1,2})-(\d{1,2})(?=$|[\sTt,Z])[Tt]?/.exec(rest);
    if (iso !== null) {
      return this.#setDate(Number(iso[1]), Number(iso[2]), Number(iso[3])) ? iso[0].length : 0;
    }
    const compact = /^(\d{4})(\d\d)(\d\d)(?=$|\s|T)T?/.exec(rest);
    if (compact !== null) {
      return this.#setDate(Number(compact[1]), Number(compact[2]), Number(compact[3]))
        ? compact[0].length
        : 0;
    }
    const slashes = /^(\d{1,2})\/(\d{1,2})(?:\/(\d{4}|\d\d))?(?=$|\s)/.exec(rest);
    if (slashes !== null) {
      const year = slashes[3] === undefined ? this.#currentYear() : fullYear(slashes[3]);
      return this.#setDate(year, Number(slashes[1]), Number(slashes[2])) ? slashes[0].length : 0;
    }
    const dayFirst = /^(\d{1,2})[-\s]([A-Za-z]{3,9})\.?(?:[-\s,]+(\d{4}))?(?=$|[\s,])/.exec(rest);
    const dayFirstMonth = dayFirst === null ? 0 : monthOf(dayFirst[2]!);
    if (dayFirst !== null && dayFirstMonth > 0) {
      const year = dayFirst[3] === undefined ? this.#currentYear() : Number(dayFirst[3]);
      return this.#setDate(year, dayFirstMonth, Number(dayFirst[1])) ? dayFirst[0].length : 0;
    }
    const monthFirst =
      /^([A-Za-z]{3,9})\.?\s+(\d{1,2})(?!:|\d)(?:(?:,\s*|\s+)(\d{4})(?!:|\d))?/.exec(rest);
    const month = monthFirst === null ? 0 : monthOf(monthFirst[1]!);
    if (monthFirst !== null && month > 0) {
      const year = monthFirst[3] === undefined ? this.#currentYear() : Number(monthFirst[3]);
      return this.#setDate(year, month, Number(monthFirst[2])) ? monthFirst[0].length : 0;
    }
    // `Thu Jan  1 00:00:00 UTC 1970` has its year at the end.
    const lateYear = /^(\d{4})$/.exec(rest);
    if (lateYear !== null && this.#date !== undefined && this.#time !== undefined) {
      this.#date[0] = Number(lateYear[1]);
      return 4;
    }
    return 0;
  }

  #currentYear(): number {
    return this.utc ? this.now.getUTCFullYear() : this.now.getFullYear();
  }

  #timeItem(rest: string): number {
    const match =
      /^(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*([ap])\.?m\.?(?=$|\s)/i.exec(rest) ??
      /^(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?()/.exec(rest) ??
      /^(\d{1,2})()()()\s*([ap])\.?m\.?(?=$|\s)/i.exec(rest);
    if (match === null || this.#time !== undefined) return 0;
    let hour = Number(match[1]);
    const half = match[5]?.toLowerCase();
    if (half) {
      if (hour < 1 || hour > 12) return 0;
      hour = (hour % 12) + (half === "p" ? 12 : 0);
    }
    const [minute, second] = [Number(match[2] || 0), Number(match[3] ?? 0)];
    if (hour > 24 || minute > 59 || second > 60 || (hour === 24 && minute + second > 0)) return 0;
    this.#time = [hour, minute, second, Number(`0.${match[4] || 0}`) * 1000];
    return match[0].length;
  }

  #zoneItem(rest: string): number {
    const named = /^(?:utc|gmt|z)(?![a-z])/i.exec(rest);
    const number = /^(?:utc|gmt)?([-+])(\d\d):?(\d\d)?(?=$|\s)/i.exec(rest);
    if (this.#offsetMinutes !== undefined || (this.#time === undefined && number !== null))
      return 0;
    if (number !== null) {
      const minutes = Number(number[2]) * 60 + Number(number[3] ?? 0);
      this.#offsetMinutes = number[1] === "-" ? -minutes : minutes;
      return number[0].length;
    }
    if (named === null) return 0;
    this.#offsetMinutes = 0;
    return named[0].length;
  }

  #relativeItem(rest: string): number {
    const word = /^(now|today|yesterday|tomorrow|midnight|noon)(?![a-z])/i.exec(rest);
    if (word !== null) {
      const name = word[1]!.toLowerCase();
      if (name === "yesterday") this.#days--;
      if (name === "tomorrow") this.#days++;
      if (name === "midnight") this.#time = [0, 0, 0, 0];
      if (name === "noon") this.#time = [12, 0, 0, 0];
      return word[0].length;
    }
    const relative =
      /^([-+]?\s*\d+|last|this|next|an?)?\s*(sec|second|min|minute|hour|day|week|fortnight|month|year)s?(?![a-z])(\s+ago(?![a-z]))?/i.exec(
        rest,
      );
    if (relative !== null) {
      const amount = relative[1]?.toLowerCase().replace(/\s+/g, "") ?? "1";
      const count = (numbers.get(amount) ?? Number(amount)) * (relative[3] === undefined ? 1 : -1);
      const unit = relative[2]!.toLowerCase();
      if (unit === "month") this.#months += count;
      else if (unit === "year") this.#months += count * 12;
      else if (/^(day|week|fortnight)$/.test(unit))
        this.#days += (count * unitsMs.get(unit)!) / 86_400_000;
      else this.#ms += count * unitsMs.get(unit)!;
      return relative[0].length;
    }
    const weekday = /^(?:(last|this|next)\s+)?([a-z]{3,9})(?![a-z])\.?/i.exec(rest);
    const day = weekday === null ? -1 : dayNames.indexOf(capitalized(weekday[2]!).slice(0, 3));
    if (
      weekday === null ||
      day === -1 ||
      !/^(sun|mon|tues?|wed(nes)?|thu(rs?)?|fri|sat(ur)?)(day)?$/i.test(weekday[2]!)
    )
      return 0;
    const which = weekday[1]?.toLowerCase();
    this.#weekday = { day, weeks: which === "last" ? -1 : which === "next" ? 1 : 0 };
    return weekday[0].length;
  }

  #result(empty: boolean): number {
    // What is asked for in a zone of its own is counted in that zone.
    const offset = this.#offsetMinutes ?? 0;
    const fixed = this.utc || this.#offsetMinutes !== undefined;
    const base = fixed ? new Date(this.now.getTime() + offset * 60_000) : this.now;
    const part = (
      name: "FullYear" | "Month" | "Date" | "Hours" | "Minutes" | "Seconds" | "Milliseconds",
    ) => (fixed ? base[`getUTC${name}`]() : base[`get${name}`]());
    const midnight = empty || this.#date !== undefined || this.#weekday !== undefined;
    const [hour, minute, second, ms] =
      this.#time ??
      (midnight
        ? [0, 0, 0, 0]
        : [part("Hours"), part("Minutes"), part("Seconds"), part("Milliseconds")]);
    const [year, month, day] = this.#date ?? [part("FullYear"), part("Month") + 1, part("Date")];
    let days = day + this.#days;
    if (this.#weekday !== undefined && this.#date === undefined) {
      const today = new Date(Date.UTC(year, month - 1, day)).getUTCDay();
      const ahead = (this.#weekday.day - today + 7) % 7;
      days += ahead + 7 * (this.#weekday.weeks - (this.#weekday.weeks > 0 && ahead > 0 ? 1 : 0));
    }
    const arguments_ = [year, month - 1 + this.#months, days, hour, minute, second, ms] as const;
    const moment = fixed
      ? Date.UTC(...arguments_) - offset * 60_000
      : new Date(...arguments_).getTime();
    const early = year >= 0 && year < 100 ? yearFixed(moment, year, this.#months) : moment;
    return early + this.#ms;
  }
}

/** Date's constructors read the years 0–99 as 1900–1999. */
function yearFixed(ms: number, year: number, months: number): number {
  const date = new Date(ms);
  date.setUTCFullYear(year + Math.floor(months / 12));
  return date.getTime();
}

function fullYear(text: string): number {
  return text.length > 2 ? Number(text) : Number(text) + (Number(text) < 69 ? 2000 : 1900);
}

function capitalized(word: string): string {
  return word[0]!.toUpperCase() + word.slice(1).toLowerCase();
}

function monthOf(word: string): number {
  return /^(jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sep(t(ember)?)?|oct(ober)?|nov(ember)?|dec(ember)?)$/i.test(
    word,
  )
    ? monthNames.indexOf(capitalized(word).slice(0, 3)) + 1
    : 0;
}
