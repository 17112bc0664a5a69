// Runs the cases that just-bash recorded from a real bash (its comparison tests' fixtures) in a machine's bash, and compares output, errors and exit code.
// The recordings are not part of this repository: FOLDER is packages/just-bash/src/comparison-tests/fixtures of vercel-labs/just-bash.
//   node scripts/just-bash.mjs --fixtures FOLDER [--match REGEX] [--verbose]
// One machine serves all cases, each in a folder of its own. `exceptions` names recordings that say something of the recorder's machine
// or tools (macOS with bash 3.2) rather than of bash 5 and the GNU tools: each has a reason, must still differ in that part alone, and
// counts as not passed.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { NodeRuntime } from "../dist/index.js";

const { values: given } = parseArgs({
  options: {
    fixtures: { type: "string" },
    match: { type: "string" },
    verbose: { type: "boolean", default: false },
  },
});
if (given.fixtures === undefined) {
  console.error("Usage: node scripts/just-bash.mjs --fixtures FOLDER [--match REGEX] [--verbose]");
  process.exit(2);
}
const suffix = ".comparison.fixtures.json";
const caseTimeoutMs = 30_000;
const match = new RegExp(given.match ?? "");

/** Recording → the one part that may differ, and why. */
const exceptions = new Map(
  [
    {
      part: "stderr",
      reason: "jq 1.7's hint names another site; ours says what jq 1.6 does",
      names: [
        "jq-arg/306111682fc4bbee",
        "jq-arg/78da9edc39aeb8cb",
        "jq-args-positional/59124fd44c118019",
      ],
    },
    {
      part: "stderr",
      reason:
        "bash 3.2, the recorder's, leaves out or counts otherwise the line of a failed redirection; ours says what bash 5.2 does",
      names: [
        "loop-redirection-order/029ef9a4af22f501",
        "loop-redirection-order/4056dc47122a0f15",
        "loop-redirection-order/55c304dbea2f9c5f",
        "loop-redirection-order/5ba4d3c97b929674",
        "loop-redirection-order/91da5cb96c38ee37",
        "loop-redirection-order/c37167907026f157",
        "loop-redirection-order/d15827827b1e9040",
        "loop-redirection-order/e6247bbd96681489",
        "loop-redirection-order/f77f9201e0a8db50",
        "loop-redirections-stdin/98da27b468bc4899",
        "loop-redirections-stdin/ad1c8cf5e7b450d8",
        "loop-redirections/240730055fc830ec",
        "loop-redirections/eb83615d48785472",
        "numeric-fds/1b82a9ab204d3cf0",
        "numeric-fds/80b78b30e80427ac",
        "numeric-fds/bc8d30f616f1e5ef",
        "process-substitution-parser/dd6b628d45108f90",
      ],
    },
    {
      part: "stderr",
      reason: "bash 3.2 counts lines of a syntax error from 0",
      names: ["process-substitution/ffb7e565962bcbd1"],
    },
    {
      part: "stderr",
      reason: "bash 3.2 does not warn of a here-document that the end of the text ends",
      names: ["process-substitution-parser/32028f231e6bbfec"],
    },
    {
      part: "stderr",
      reason: "recorded under the name `bash`, all others under `/bin/bash`",
      names: ["redirection-transactions/d00476b48ae1403e"],
    },
    {
      part: "stdout",
      reason:
        "bash 5.2 counts otherwise itself (5 and 6): no two versions agree on LINENO in a process substitution over several lines",
      names: ["process-substitution-parser/5b511c08d2ee319a"],
    },
    {
      part: "stdout",
      reason: "util-linux's column fills short rows up, BSD's does not",
      names: ["column-join/2f59c89728536647"],
    },
    {
      part: "stdout",
      reason: "GNU's nl writes a blank for the separator too, BSD's a tab",
      names: ["text-processing/6e61839db2810b92"],
    },
  ].flatMap(({ names, ...exception }) => names.map((name) => [name, exception])),
);

/** All recordings: `suite/id` → command, files and what came of it. */
function recordings() {
  const found = [];
  for (const file of readdirSync(given.fixtures).sort()) {
    if (!file.endsWith(suffix)) continue;
    const cases = JSON.parse(readFileSync(join(given.fixtures, file), "utf8"));
    for (const [id, recording] of Object.entries(cases))
      found.push({ name: `${file.slice(0, -suffix.length)}/${id}`, ...recording });
  }
  return found.filter(({ name, command }) => match.test(name) || match.test(command));
}

/** The parts that differ. */
const differences = (recording, got) =>
  ["stdout", "stderr", "exitCode"].filter((part) => recording[part] !== got[part]);

function show(title, { recording, got, parts }, detailed) {
  console.log(`  ${title}: ${recording.name}: ${JSON.stringify(recording.command)}`);
  if (!detailed) return;
  for (const part of parts) {
    const [recorded, ours] = [recording[part], got[part]].map((side) => JSON.stringify(side));
    console.log(
      `    ${part}: recorded ${recorded}\n    ${" ".repeat(part.length)}      ours ${ours}`,
    );
  }
}

/** Runs one in a fresh folder, as the recorder did: `/bin/bash -c`, nothing on its input. */
async function run(rt, recording, folder) {
  await rt.mkdir(folder, { recursive: true });
  for (const [path, text] of Object.entries(recording.files)) {
    const target = join(folder, path);
    await rt.mkdir(join(target, ".."), { recursive: true });
    await rt.writeFile(target, text);
  }
  const options = { cwd: folder, timeout: caseTimeoutMs };
  return rt
    .execCommand("/bin/bash", ["-c", recording.command], options)
    .catch((error) => ({ stdout: "", stderr: String(error), exitCode: -1 }));
}

const rt = await NodeRuntime.create();
const results = [];
for (const [index, recording] of recordings().entries()) {
  const got = await run(rt, recording, `/tmp/case-${index}`);
  results.push({ recording, got, parts: differences(recording, got) });
}
await rt.dispose();

const same = results.filter(({ parts }) => parts.length === 0);
const sameButErrors = results.filter(({ parts }) => parts.every((part) => part === "stderr"));
console.log(
  `${sameButErrors.length} of ${results.length} as recorded in output and exit code, ${same.length} in the text of errors as well`,
);
let failures = 0;
for (const result of results) {
  const { parts } = result;
  const exception = exceptions.get(result.recording.name);
  const allowed = exception === undefined ? [] : [exception.part];
  if (parts.join() === allowed.join()) {
    if (exception !== undefined) show(`exception (${exception.reason})`, result, given.verbose);
    continue;
  }
  failures += 1;
  show(parts.length === 0 ? "an exception, and as recorded" : "differs", result, true);
}
console.log(`${failures} not as expected`);
process.exit(failures === 0 && results.length > 0 ? 0 : 1);
