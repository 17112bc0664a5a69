/** Owns jq's regular expressions: Oniguruma's spelling as JavaScript's, and what a match tells. */
import { typeOf, type Json } from "./json.js";
import { described, JqError } from "./operations.js";

function regex(pattern: Json, flags: Json): RegExp {
  if (typeof pattern !== "string")
    throw new JqError(`${described(pattern)} cannot be matched, as it is not a string`);
  const given = typeof flags === "string" ? flags : "";
  let source = pattern.replace(/\(\?P?<([A-Za-z_]\w*)>/g, "(?<$1>").replace(
    /\[:(\w+):\]/g,
    (whole, name: string) =>
      ({
        alpha: "A-Za-z",
        digit: "0-9",
        alnum: "A-Za-z0-9",
        space: "\\s",
        upper: "A-Z",
        lower: "a-z",
        punct: "!-/:-@\\[-`{-~",
      })[name] ?? whole,
  );
  if (given.includes("x"))
    source = source.replace(/\\#|#[^\n]*|\s+/g, (part) => (part === "\\#" ? "#" : ""));
  try {
    return new RegExp(
      source,
      `dg${given.includes("i") ? "i" : ""}${given.includes("s") ? "s" : ""}u`,
    );
  } catch {
    try {
      return new RegExp(source, `dg${given.includes("i") ? "i" : ""}`);
    } catch {
      throw new JqError(`${pattern} (at offset 0) is not a valid regex`);
    }
  }
}

export function match(input: Json, pattern: Json, flags: Json): Json {
  if (typeof input !== "string")
    throw new JqError(`${described(input)} cannot be matched, as it is not a string`);
  if (typeof pattern !== "string" && !Array.isArray(pattern))
    throw new JqError(`${typeOf(pattern)} not a string or array`);
  const [source, more] = Array.isArray(pattern)
    ? [pattern[0] ?? null, pattern[1] ?? flags]
    : [pattern, flags];
  const compiled = regex(source, more);
  const all = typeof more === "string" && more.includes("g");
  const found: Json[] = [];
  const offset = (index: number) => Array.from(input.slice(0, index)).length;
  for (const each of input.matchAll(compiled)) {
    const names = new Map(
      Object.keys(each.groups ?? {}).map((name) => [name, each.indices!.groups![name]]),
    );
    const taken = new Set<string>();
    const captures = each.slice(1).map((part, at): Json => {
      const span = each.indices![at + 1];
      const name = [...names].find(
        ([key, value]) =>
          !taken.has(key) &&
          (value === span || (value?.[0] === span?.[0] && value?.[1] === span?.[1])),
      )?.[0];
      if (name !== undefined) taken.add(name);
      return new Map<string, Json>([
        ["offset", part === undefined ? -1 : offset(span![0])],
        ["length", part === undefined ? 0 : [...part].length],
        ["string", part ?? null],
        ["name", name ?? null],
      ]);
    });
    found.push(
      new Map<string, Json>([
        ["offset", offset(each.index)],
        ["length", [...each[0]].length],
        ["string", each[0]],
        ["captures", captures],
      ]),
    );
    if (!all) break;
  }
  return found;
}
