/**
 * Owns what makes a command line wrong though each of its options is known: values out of range and
 * pairs that exclude each other, with the words and exit codes of the engine (CheckOptions of
 * src/node_options.cc, src/node_revert.h). It protects nothing.
 */
import type { CommandLine } from "./node-cli.js";
import type { OptionValue } from "./engine-options.js";

/** src/node_exit_code.h: kInvalidCommandLineArgument, kInvalidCommandLineArgument2. */
export const invalidArgument = 9;
const invalidArgument2 = 12;

export interface Complaint {
  text: string;
  exitCode: number;
}

const rejectionModes = ["warn-with-error-code", "throw", "strict", "warn", "none"];
const largePageModes = ["off", "on", "silent"];
const requireModuleModes = ["all", "no-node-modules"];

/** Pairs of which a command line may have one. */
const exclusive: readonly (readonly [one: string, other: string])[] = [
  ["--tls-min-v1.3", "--tls-max-v1.2"],
  ["--use-openssl-ca", "--use-bundled-ca"],
  ["--use-openssl-ca", "--use-system-ca"],
  ["--check", "--eval"],
  ["--test", "--check"],
  ["--test", "--eval"],
  ["--test", "--interactive"],
  ["--watch", "--check"],
  ["--watch", "--eval"],
  ["--watch", "--interactive"],
];

/** EnvironmentOptions::CheckOptions; the shorter ones as well. */
const inputTypes = /^((commonjs|module)(-typescript)?)?$/;

/** As strtod(3) reads all of a text. */
const decimal = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

function valueError(name: string, value: OptionValue): string | undefined {
  const text = String(value);
  switch (name) {
    case "--unhandled-rejections":
      return rejectionModes.includes(text) ? undefined : `invalid value for ${name}`;
    case "--use-largepages":
      return largePageModes.includes(text) ? undefined : `invalid value for ${name}`;
    case "--input-type":
      return inputTypes.test(text)
        ? undefined
        : `${name} must be "module","commonjs", "module-typescript" or "commonjs-typescript"`;
    case "--trace-require-module":
      return requireModuleModes.includes(text) ? undefined : `invalid value for ${name}`;
    case "--disable-proto":
      return /^(delete|throw)$/.test(text) ? undefined : `invalid mode passed to ${name}`;
    case "--max-old-space-size-percentage": {
      const percentage = decimal.test(text) ? Number(text) : NaN;
      return percentage > 0 && percentage <= 100
        ? undefined
        : `${name} must be greater than 0 and up to 100. Got: ${text}`;
    }
    default:
      return undefined;
  }
}

/** The first thing wrong with command lines that follow each other, or undefined. */
export function complaint(lines: readonly CommandLine[]): Complaint | undefined {
  const all = new Map(lines.flatMap(({ values }) => [...values]));
  const given = (name: string): boolean => all.get(name) !== undefined && all.get(name) !== false;
  for (const [one, other] of exclusive)
    if (given(one) && given(other))
      return {
        text: `either ${one} or ${other} can be used, not both`,
        exitCode: invalidArgument,
      };
  for (const { values } of lines)
    for (const [name, value] of values) {
      const text = valueError(name, value);
      // Of these the process finds out when it makes its first context.
      const exitCode = name === "--disable-proto" ? invalidArgument2 : invalidArgument;
      if (text !== undefined) return { text, exitCode };
    }
  // The engine has no fix that can be taken back, so there is none that it knows.
  const reverts = all.get("--security-revert");
  const [revert] = Array.isArray(reverts) ? reverts : [];
  if (revert === undefined) return undefined;
  return {
    text: `Error: Attempt to revert an unknown CVE [${revert}]`,
    exitCode: invalidArgument2,
  };
}
