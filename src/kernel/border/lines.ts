/** Owns the form of what is said to the border's program: one line of JSON. */
export function borderLine(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}
