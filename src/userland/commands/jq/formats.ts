/** Owns jq's formats, `@csv` and its like: a value as text of another language. */
import { print, type Json } from "./json.js";
import { described, JqError } from "./operations.js";

/** Strings as they are, everything else as JSON. */
export function text(value: Json): string {
  return typeof value === "string" ? value : print(value);
}

function escapeHtml(value: string): string {
  const table: Record<string, string> = {
    "<": "&lt;",
    ">": "&gt;",
    "&": "&amp;",
    "'": "&#39;",
    '"': "&quot;",
  };
  return value.replace(/[<>&'"]/g, (char) => table[char]!);
}

function row(value: Json, kind: string, cell: (item: Json) => string): string[] {
  if (!Array.isArray(value))
    throw new JqError(`${described(value)} cannot be ${kind}-formatted, only array`);
  return value.map((item) => {
    if (typeof item === "object" && item !== null)
      throw new JqError(`${described(item)} is not valid in a csv row`);
    return cell(item);
  });
}

function fromBase64(value: string): string {
  const digits = value.replace(/=+$/, "");
  if (/[^A-Za-z0-9+/]/.test(digits)) {
    throw new JqError(`${described(value)} is not valid base64 data`);
  }
  if (digits.length % 4 === 1) throw new JqError(`${described(value)} trailing base64 byte found`);
  return Buffer.from(digits, "base64").toString("utf8");
}

const letters32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function toBase32(value: string): string {
  const bits = [...Buffer.from(value)].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const digits = (bits.match(/.{1,5}/g) ?? []).map(
    (part) => letters32[parseInt(part.padEnd(5, "0"), 2)]!,
  );
  return digits.join("").padEnd(Math.ceil(digits.length / 8) * 8, "=");
}

function fromBase32(value: string): string {
  const digits = value.replace(/=+$/, "");
  if (/[^A-Z2-7]/.test(digits)) throw new JqError(`${described(value)} is not valid base32 data`);
  const bits = [...digits]
    .map((char) => letters32.indexOf(char).toString(2).padStart(5, "0"))
    .join("");
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((part) => parseInt(part, 2))).toString("utf8");
}

export const formats = new Map<string, (value: Json) => string>([
  ["@text", text],
  ["@json", (value) => print(value)],
  ["@html", (value) => escapeHtml(text(value))],
  [
    "@uri",
    (value) =>
      encodeURIComponent(text(value)).replace(
        /[!'()*]/g,
        (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
      ),
  ],
  ["@base64", (value) => Buffer.from(text(value)).toString("base64")],
  ["@base64d", (value) => fromBase64(text(value))],
  ["@base32", (value) => toBase32(text(value))],
  ["@base32d", (value) => fromBase32(text(value))],
  [
    "@urid",
    (value) => {
      try {
        return decodeURIComponent(text(value));
      } catch {
        throw new JqError(`${described(text(value))} is not a valid uri encoding`);
      }
    },
  ],
  [
    "@csv",
    (value) =>
      row(value, "csv", (item) =>
        typeof item === "string"
          ? `"${item.replaceAll('"', '""')}"`
          : item === null
            ? ""
            : print(item),
      ).join(","),
  ],
  [
    "@tsv",
    (value) =>
      row(value, "tsv", (item) =>
        typeof item === "string"
          ? item.replace(
              /[\\\t\n\r]/g,
              (char) => ({ "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" })[char]!,
            )
          : item === null
            ? ""
            : print(item),
      ).join("\t"),
  ],
  [
    "@sh",
    (value) =>
      (Array.isArray(value) ? value : [value])
        .map((item) => {
          if (typeof item === "object" && item !== null)
            throw new JqError(`${described(item)} can not be escaped for shell`);
          return typeof item === "string" ? `'${item.replaceAll("'", "'\\''")}'` : print(item);
        })
        .join(" "),
  ],
]);
