// Writes src/sdk/limit-types.ts, the type of the option `limits` with a text for each, from the one table of limits;
// with --check only says whether it is up to date.
import { readFileSync, writeFileSync } from "node:fs";
import { vmLimitTable } from "../dist/protocol/limits.js";

const target = new URL("../src/sdk/limit-types.ts", import.meta.url);
const width = 110;

const KiB = 1024;
const units = [
  ["GiB", KiB ** 3],
  ["MiB", KiB ** 2],
  ["KiB", KiB],
];

/** What a number of it counts. */
function unitOf(name) {
  if (/bytes/i.test(name)) return "Bytes";
  return name.endsWith("Ms") ? "Milliseconds" : "A number";
}

/** For bytes in the unit that fits. */
function shown(name, value) {
  const [unit, size] = units.find(([, bytes]) => value >= bytes && value % bytes === 0) ?? [];
  return unit !== undefined && unitOf(name) === "Bytes" ? `${value / size} ${unit}` : String(value);
}

function* wrapped(text) {
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + word.length >= width) {
      yield line;
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  yield line;
}

/** What it bounds and what meets it; unit, range and the error of others; the default. */
function* textOf(name, { default: usual, least, most, what, zeroIsNone }) {
  yield* wrapped(what);
  const range = `from ${shown(name, least)} to ${shown(name, most)}`;
  yield `${unitOf(name)}, ${range}; any other is ERR_SECURE_EXEC_INVALID_OPTION.`;
  const words = usual === 0 && zeroIsNone === true ? "no limit" : shown(name, usual);
  yield `@default ${usual}${words === String(usual) ? "" : ` (${words})`}`;
}

export function limitTypes() {
  const members = Object.entries(vmLimitTable).map(([name, entry]) => {
    const lines = [...textOf(name, entry)].map((line) => `   * ${line}`);
    return `  /**\n${lines.join("\n")}\n   */\n  ${name}?: number;`;
  });
  return `/**
 * Owns the type of the option \`limits\`, whose texts editors show. Generated from protocol/limits.ts by
 * \`node scripts/limit-types.mjs\`.
 */

/** Bounds on one virtual machine; see docs/limits.md. */
export interface NodeRuntimeLimits {
${members.join("\n")}
}
`;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const text = limitTypes();
  if (process.argv.includes("--check")) {
    if (readFileSync(target, "utf8") !== text) {
      console.error(
        "src/sdk/limit-types.ts is not what the table says: run node scripts/limit-types.mjs",
      );
      process.exit(1);
    }
  } else writeFileSync(target, text);
}
