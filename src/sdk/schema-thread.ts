/**
 * Owns the thread that judges inputs for schema-judge.ts: one at a time, until it is ended.
 *
 * Invariant: it has no environment and no arguments of the host, and does nothing but judge.
 * Untrusted: every input.
 */
import { readlinkSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { toolLimits } from "../protocol/tools.js";
import { parseJson } from "./json.js";
import { unjudged, validationOf } from "./schema-validation.js";
import type { Validation } from "./schema-validation.js";
import { atOnce } from "./steps.js";
import type { JudgeAnswer, JudgeQuestion } from "./schema-judge.js";

const longestPathChars = 1024;
const validations = new Map<number, Validation>();
const port = parentPort!;
port.on("message", (question: JudgeQuestion) => {
  void answer(question).then((violation) => port.postMessage({ violation } satisfies JudgeAnswer));
});

async function answer({
  key,
  schema,
  costly,
  json,
}: JudgeQuestion): Promise<JudgeAnswer["violation"]> {
  try {
    let validate = validations.get(key);
    if (validate === undefined) {
      validate = await validationOf(schema!, costly);
      validations.set(key, validate);
    }
    const violation = validate(atOnce(parseJson(json, toolLimits.jsonDepth)));
    return (
      violation && {
        path: violation.path.slice(0, longestPathChars),
        problem: violation.problem.slice(0, toolLimits.errorMessageChars),
      }
    );
  } catch {
    return unjudged;
  }
}

/** This thread, as Linux counts it; -1 where it does not say. */
function ownNumber(): number {
  try {
    return Number(/\/task\/(\d+)$/.exec(readlinkSync("/proc/thread-self"))?.[1] ?? -1);
  } catch {
    return -1;
  }
}

// The deadline of the first question begins now, not when the thread was asked for.
await validationOf({}, false);
port.postMessage({ ready: ownNumber() } satisfies JudgeAnswer);
