// Runs cases of the table through our shell under the engine: most of them in two processes that take
// half of the table each, those that signal or replace themselves in processes of their own.
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { engine } from "../../sandbox/engine.mjs";
import { environment } from "./cases.mjs";

const here = (name) => fileURLToPath(new URL(`engine/${name}`, import.meta.url));

function collect(args, options, onLine) {
  return new Promise((resolve, reject) => {
    const child = spawn(engine, ["--no-warnings", ...args], {
      stdio: ["ignore", "pipe", "ignore"],
      ...options,
    });
    let text = "";
    child.stdout.setEncoding("latin1");
    child.stdout.on("data", (chunk) => {
      text += chunk;
      if (onLine === undefined) return;
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
        // The table's last line: everything has arrived, whoever else still holds the pipe.
        if (onLine(text.slice(0, end)) === "last") resolve({ text: "", status: 0 });
        text = text.slice(end + 1);
      }
    });
    child.on("error", reject);
    // Not "close": a background job of a script may outlive it and hold the pipe.
    child.on("exit", (code, signal) => {
      if (onLine !== undefined && code === 0) return;
      setImmediate(() => resolve({ stdout: text, status: signal ?? code }));
    });
  });
}

/** Name → { stdout, status }, and stderr of those that are not isolated. */
export async function runCases(cases) {
  const directory = mkdtempSync(join(tmpdir(), "sh-cases-"));
  const wrapper = join(directory, "sh");
  writeFileSync(wrapper, `#!/bin/sh\nexec ${engine} --no-warnings ${here("sh.mjs")} sh "$@"\n`);
  chmodSync(wrapper, 0o755);
  const answers = new Map();
  const shared = cases.filter((one) => !one.isolated);
  const alone = cases.filter((one) => one.isolated);
  const batch = async (list, index) => {
    const file = join(directory, `cases-${index}.json`);
    writeFileSync(file, JSON.stringify({ cases: list, environment }));
    await collect(
      [here("table.mjs"), file, directory],
      { timeout: 300_000, killSignal: "SIGKILL" },
      (line) => {
        const { last, name, ...answer } = JSON.parse(Buffer.from(line, "latin1").toString("utf8"));
        if (last === true) return "last";
        answers.set(name, answer);
        return undefined;
      },
    );
  };
  const oneByOne = async () => {
    for (const { name, script, shell } of alone) {
      const cwd = mkdtempSync(join(directory, "alone-"));
      const args = [here("sh.mjs"), shell, "-c", script, "sh"];
      const options = { cwd, env: environment, timeout: 60_000, killSignal: "SIGKILL" };
      answers.set(name, await collect(args, options));
    }
  };
  const half = Math.ceil(shared.length / 2);
  await Promise.all([batch(shared.slice(0, half), 0), batch(shared.slice(half), 1).then(oneByOne)]);
  rmSync(directory, { recursive: true, force: true });
  return answers;
}
