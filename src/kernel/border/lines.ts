/** Owns the form of what is said to the border's program: one line of JSON. */
import type { Answer, Facts, Setting } from "../../border/wire.js";

export function borderLine(value: Facts | { setting: Setting } | Answer): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}
