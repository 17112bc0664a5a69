/** Owns durations as sleep and timeout read them: `1.5`, `2m`, `infinity`. */
const unitsMs = new Map([
  ["", 1000],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** In milliseconds; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (/^inf(inity)?$/i.test(text)) return Infinity;
  const match = /^((?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)([smhd]?)$/.exec(text);
  return match === null ? undefined : Number(match[1]) * unitsMs.get(match[2]!)!;
}
