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
      const piece = convert(letter, fields, ms, nanos, colons.length, utc, width);
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

function convert(
  letter: string,
  fields: Fields,
  ms: number,
  nanos: number,
  colons: number,
  utc: boolean,
  width: string,
): Piece | undefined {
  const two = (value: number): Piece => ({ text: String(value), pad: "0", width: 2 });
  const twoSpaces = (value: number): Piece => ({ text: String(value), pad: "_", width: 2 });
  const again = (format: string): Piece => ({ text: strftime(format, ms, utc, nanos) });
  const hour12 = fields.hour % 12 || 12;
  switch (letter) {
    case "%":
      return { text: "%" };
    case "a":
      return { text: dayNames[fields.weekday]! };
    case "A":
      return { text: days[fields.weekday]! };
    case "b":
    case "h":
      return { text: monthNames[fields.month]! };
    case "B":
      return { text: months[fields.month]! };
    case "c":
      return again("%a %b %e %H:%M:%S %Y");
    case "C":
      return two(Math.floor(fields.year / 100));
    case "d":
      return two(fields.day);
    case "D":
    case "x":
      return again("%m/%d/%y");
    case "e":
      return twoSpaces(fields.day);
    case "F":
      return again("%Y-%m-%d");
    case "g":
      return two(isoWeek(fields).year % 100);
    case "G":
      return { text: String(isoWeek(fields).year) };
    case "H":
      return two(fields.hour);
    case "I":
      return two(hour12);
    case "j":
      return { text: String(fields.yearDay + 1), pad: "0", width: 3 };
    case "k":
      return twoSpaces(fields.hour);
    case "l":
      return twoSpaces(hour12);
    case "m":
      return two(fields.month + 1);
    case "M":
      return two(fields.minute);
    case "n":
      return { text: "\n" };
    case "N":
      return {
        text: String(nanos)
          .padStart(9, "0")
          .slice(0, Number(width) || 9),
      };
    case "p":
      return { text: fields.hour < 12 ? "AM" : "PM" };
    case "P":
      return { text: fields.hour < 12 ? "am" : "pm" };
    case "q":
      return { text: String(Math.floor(fields.month / 3) + 1) };
    case "r":
      return again("%I:%M:%S %p");
    case "R":
      return again("%H:%M");
    case "s":
      return { text: String(Math.floor(ms / 1000)), pad: "0" };
    case "S":
      return two(fields.second);
    case "t":
      return { text: "\t" };
    case "T":
    case "X":
      return again("%H:%M:%S");
    case "u":
      return { text: String(fields.weekday || 7) };
    case "U":
      return two(Math.floor((fields.yearDay + 7 - fields.weekday) / 7));
    case "V":
      return two(isoWeek(fields).week);
    case "w":
      return { text: String(fields.weekday) };
    case "W":
      return two(Math.floor((fields.yearDay + 7 - ((fields.weekday + 6) % 7)) / 7));
    case "y":
      return two(((fields.year % 100) + 100) % 100);
    case "Y":
      return { text: String(fields.year), pad: "0" };
    case "z":
      return { text: offsetText(fields.offsetMinutes, colons) };
    case "Z":
      return { text: fields.zone };
    default:
      return undefined;
  }
}
