/**
 * Owns taking over the zygote that the dynamic loader has begun before this process's engine ran
 * (../sandbox/early-start.ts), where it has.
 *
 * Invariants: nothing of how that was done is left to what this process starts; what was begun is taken over once.
 * Untrusted: nothing.
 */
import { fstatSync } from "node:fs";
import {
  earlyFd,
  earlyPath,
  earlyReportBytes,
  earlyWordsFd,
  preloadVariable,
} from "../abi/handed.js";
import * as libc from "../sandbox/libc.js";
import type { ZygoteProcess } from "./zygote-process.js";

export interface BegunZygote {
  readonly zygote: ZygoteProcess;
  /** Whether this process and the zygote may signal nobody else. */
  readonly confined: boolean;
}

/** None where there is no library for this processor, or Linux has refused one of its calls. */
export function takeBegunZygote(): BegunZygote | undefined {
  if (process.env[preloadVariable] !== earlyPath) return undefined;
  delete process.env[preloadVariable];
  // It is the library itself until that has done everything.
  if (!fstatSync(earlyFd).isSocket()) return undefined;
  const report = Buffer.alloc(earlyReportBytes);
  if (libc.read(earlyFd, report, 0, earlyReportBytes) !== earlyReportBytes) return undefined;
  const pid = report.readInt32LE(0);
  const confined = report.readInt32LE(8) === 1;
  return { zygote: { pid, control: earlyFd, words: earlyWordsFd }, confined };
}
