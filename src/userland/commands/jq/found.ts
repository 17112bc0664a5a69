/** Owns what a jq filter finds: a value, and where it is in the input while paths are wanted. */
import { print, type Json } from "./json.js";
import { JqError, type Path } from "./operations.js";

/** Undefined path: only values are wanted. */
export type Found = { path: Path | undefined; value: Json };

/** Stands for the path of a value that is nowhere in the input. */
const noPath: Path = [];

/** The value must stay where it is found: used where paths are wanted but a plain value came. */
export function plain(input: Found, value: Json): Found {
  return { path: input.path === undefined ? undefined : noPath, value };
}

export function child(of: Found, key: Json, value: Json): Found {
  if (of.path === noPath)
    throw new JqError(`Invalid path expression with result ${print(of.value).slice(0, 30)}`);
  return { path: of.path === undefined ? undefined : [...of.path, key], value };
}
