/** Owns what a descriptor is to Node: a stream's kind, or "file". */
import { Stream } from "../io/stream.js";
import type { Description } from "./descriptors.js";

export function describe(description: Description | undefined): string {
  if (description === undefined) return "";
  return description instanceof Stream ? description.kind : "file";
}
