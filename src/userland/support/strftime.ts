/** Owns date formats (`%Y-%m-%d`) for date, ls, stat, find and awk; C locale. */
const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

export const dayNames = days.map((name) => name.slice(0, 3));
export const monthNames = months.map((name) => name.slice(0, 3));

/** A moment seen in a zone. */
interface Fields {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  weekday: number;
  /** From 0. */
  yearDay: number;
  offsetMinutes: number;
  zone: string;
}

function fieldsOf(ms: number, utc: boolean): Fields {
  const date = new Date(ms);
  const offsetMinutes = utc ? 0 : -date.getTimezoneOffset();
  const local = new Date(ms + offsetMinutes * 60_000);
  const year = local.getUTCFullYear();
  const start = Date.UTC(2000, 0, 1) + (Date.UTC(year, 0, 1) - Date.UTC(2000, 0, 1));
  return {
    year,
    month: local.getUTCMonth(),
    day: local.getUTCDate(),
    hour: local.getUTCHours(),
    minute: local.getUTCMinutes(),
    second: local.getUTCSeconds(),
    weekday: local.getUTCDay(),
    yearDay: Math.floor((local.getTime() - start) / 86_400_000),
    offsetMinutes,
    zone: utc || offsetMinutes === 0 ? "UTC" : zoneName(date),
  };
}

function zoneName(date: Date): string {
  const text = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" }).format(date);
  return text.slice(text.lastIndexOf(" ") + 1);
}

function isoWeek(fields: Fields): { year: number; week: number } {
  const weekday = (fields.weekday + 6) % 7;
  const week = Math.floor((fields.yearDay - weekday + 10) / 7);
  if (week < 1) return { year: fields.year - 1, week: weeksIn(fields.year - 1) };
  if (week > weeksIn(fields.year)) return { year: fields.year + 1, week: 1 };
  return { year: fields.year, week };
}

function weeksIn(year: number): number {
  const dayOf = (y: number) =>
    (y + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400)) % 7;
  return dayOf(year) === 4 || dayOf(year - 1) === 3 ? 53 : 52;
}

function offsetText(minutes: number, colons: number): string {
  const sign = minutes < 0 ? "-" : "+";
  const hours = String(Math.floor(Math.abs(minutes) / 60)).padStart(2, "0");
  const rest = String(Math.abs(minutes) % 60).padStart(2, "0");
  if (colons === 0) return `${sign}${hours}${rest}`;
  if (colons === 3) return rest === "00" ? `${sign}${hours}` : `${sign}${hours}:${rest}`;
  return `${sign}${hours}:${rest}${colons === 2 ? ":00" : ""}`;
}

/** `nanoseconds` is the part below the second. */
export function strftime(format: string, ms: number, utc: boolean, nanoseconds?: number): string {
  const fields = fieldsOf(ms, utc);
  const nanos = nanoseconds ?? Math.floor((((ms % 1000) + 1000) % 1000) * 1e6);
  return format.replace(
    /%([-_0^#+]*)(\d*)([EO]?)(:*)([a-zA-Z%])/g,
    (whole, flags: string, width: string, _, colons: string, letter: string) => {
      const again = composed.get(letter);
      const piece =
        again === undefined
          ? conversions.get(letter)?.({ fields, ms, nanos, colons: colons.length, width })
          : { text: strftime(again, ms, utc, nanos) };
      if (piece === undefined) return whole;
      return adjusted(piece, flags, Math.min(Number(width), 1000), letter === "N");
    },
  );
}

interface Piece {
  text: string;
  /** Padding that the conversion has by itself, and how wide. */
  pad?: "0" | "_";
  width?: number;
}

function adjusted(piece: Piece, flags: string, width: number, fraction: boolean): string {
  let { text } = piece;
  const chosen = [...flags].findLast((flag) => "-_0".includes(flag));
  const wanted = width || piece.width || 0;
  if (chosen !== "-" && !fraction) {
    const pad = chosen === "_" ? " " : chosen === "0" ? "0" : piece.pad === "0" ? "0" : " ";
    const negative = pad === "0" && text.startsWith("-");
    text = negative ? `-${text.slice(1).padStart(wanted - 1, pad)}` : text.padStart(wanted, pad);
  }
  if (flags.includes("^")) text = text.toUpperCase();
  if (flags.includes("#")) {
    text = text === text.toUpperCase() ? text.toLowerCase() : text.toUpperCase();
  }
  return text;
}

/** What a conversion is given. */
interface Moment {
  fields: Fields;
  ms: number;
  nanos: number;
  /** How many came before the letter. */
  colons: number;
  /** As written; "" without one. */
  width: string;
}

const text = (value: string): Piece => ({ text: value });
const two = (value: number): Piece => ({ text: String(value), pad: "0", width: 2 });
const twoSpaces = (value: number): Piece => ({ text: String(value), pad: "_", width: 2 });
const hour12 = ({ hour }: Fields) => hour % 12 || 12;

/** Conversions that stand for formats. */
export const composed: ReadonlyMap<string, string> = new Map([
  ["c", "%a %b %e %H:%M:%S %Y"],
  ["D", "%m/%d/%y"],
  ["x", "%m/%d/%y"],
  ["F", "%Y-%m-%d"],
  ["r", "%I:%M:%S %p"],
  ["R", "%H:%M"],
  ["T", "%H:%M:%S"],
  ["X", "%H:%M:%S"],
]);

const conversions = new Map<string, (moment: Moment) => Piece>([
  ["%", () => text("%")],
  ["a", ({ fields }) => text(dayNames[fields.weekday]!)],
  ["A", ({ fields }) => text(days[fields.weekday]!)],
  ["b", ({ fields }) => text(monthNames[fields.month]!)],
  ["h", ({ fields }) => text(monthNames[fields.month]!)],
  ["B", ({ fields }) => text(months[fields.month]!)],
  ["C", ({ fields }) => two(Math.floor(fields.year / 100))],
  ["d", ({ fields }) => two(fields.day)],
  ["e", ({ fields }) => twoSpaces(fields.day)],
  ["g", ({ fields }) => two(isoWeek(fields).year % 100)],
  ["G", ({ fields }) => text(String(isoWeek(fields).year))],
  ["H", ({ fields }) => two(fields.hour)],
  ["I", ({ fields }) => two(hour12(fields))],
  ["j", ({ fields }) => ({ text: String(fields.yearDay + 1), pad: "0", width: 3 })],
  ["k", ({ fields }) => twoSpaces(fields.hour)],
  ["l", ({ fields }) => twoSpaces(hour12(fields))],
  ["m", ({ fields }) => two(fields.month + 1)],
  ["M", ({ fields }) => two(fields.minute)],
  ["n", () => text("\n")],
  [
    "N",
    ({ nanos, width }) =>
      text(
        String(nanos)
          .padStart(9, "0")
          .slice(0, Number(width) || 9),
      ),
  ],
  ["p", ({ fields }) => text(fields.hour < 12 ? "AM" : "PM")],
  ["P", ({ fields }) => text(fields.hour < 12 ? "am" : "pm")],
  ["q", ({ fields }) => text(String(Math.floor(fields.month / 3) + 1))],
  ["s", ({ ms }) => ({ text: String(Math.floor(ms / 1000)), pad: "0" })],
  ["S", ({ fields }) => two(fields.second)],
  ["t", () => text("\t")],
  ["u", ({ fields }) => text(String(fields.weekday || 7))],
  ["U", ({ fields }) => two(Math.floor((fields.yearDay + 7 - fields.weekday) / 7))],
  ["V", ({ fields }) => two(isoWeek(fields).week)],
  ["w", ({ fields }) => text(String(fields.weekday))],
  ["W", ({ fields }) => two(Math.floor((fields.yearDay + 7 - ((fields.weekday + 6) % 7)) / 7))],
  ["y", ({ fields }) => two(((fields.year % 100) + 100) % 100)],
  ["Y", ({ fields }) => ({ text: String(fields.year), pad: "0" })],
  ["z", ({ fields, colons }) => text(offsetText(fields.offsetMinutes, colons))],
  ["Z", ({ fields }) => text(fields.zone)],
]);
