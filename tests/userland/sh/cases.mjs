// The table of shell scripts: scripts/<topic>.sh holds the cases, each under a line "#: name", and
// expected.json what dash (bash for bash*.sh) answered: node cases.mjs records it anew.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const scripts = fileURLToPath(new URL("scripts/", import.meta.url));
const recorded = join(scripts, "expected.json");

export const environment = Object.freeze({
  PATH: "/usr/local/bin:/usr/bin:/bin",
  HOME: "/nonexistent",
  LC_ALL: "C.UTF-8",
});

/** Every case: its name, script, the shell whose answer counts, and whether it needs a process of its own. */
export const cases = readdirSync(scripts)
  .filter((file) => file.endsWith(".sh"))
  .sort()
  .flatMap((file) => {
    const topic = file.replace(/\.sh$/, "");
    const blocks = readFileSync(join(scripts, file), "utf8").split(/^#: /m).slice(1);
    return blocks.map((block) => {
      const end = block.indexOf("\n");
      const title = block.slice(0, end);
      return {
        name: `${topic}: ${title.replace(/ \(isolated\)$/, "")}`,
        script: block.slice(end + 1),
        shell: topic.startsWith("bash") ? "bash" : "sh",
        isolated: title.endsWith("(isolated)") || /\$\$/.test(block),
        ownChildren: topic === "options",
      };
    });
  });

export const expected = existsSync(recorded) ? JSON.parse(readFileSync(recorded, "utf8")) : {};

export const oracles = { sh: "/bin/dash", bash: "/bin/bash" };

/** What the real shell answers: its output, byte by byte as latin1, and its exit code. */
export function askOracle({ script, shell }) {
  const cwd = mkdtempSync(join(tmpdir(), "sh-oracle-"));
  try {
    const { stdout, status, signal } = spawnSync(oracles[shell], ["-c", script, "sh"], {
      argv0: shell,
      cwd,
      env: environment,
      encoding: "latin1",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 60_000,
    });
    return { stdout, status: signal === null ? status : signal };
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const answers = Object.fromEntries(cases.map((one) => [one.name, askOracle(one)]));
  writeFileSync(recorded, `${JSON.stringify(answers, null, 2)}\n`);
}
