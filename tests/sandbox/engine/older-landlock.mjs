// What the kernel process takes from itself where landlock has no scopes yet: prints what is left.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { keepServingCapabilities } from "../../../dist/sandbox/capabilities.js";
import { setNoNewPrivs } from "../../../dist/sandbox/libc.js";
import { landlockKernel } from "../../../dist/sandbox/landlock.js";

const tried = (work) => {
  try {
    return work();
  } catch (error) {
    return error.code ?? String(error);
  }
};

function main(other) {
  const directory = mkdtempSync(join(tmpdir(), "landlock-"));
  mkdirSync(join(directory, "a"));
  writeFileSync(join(directory, "file"), "1");
  setNoNewPrivs();
  const layer = landlockKernel(3);
  keepServingCapabilities();
  const memory = tried(() => readFileSync(`/proc/${other}/maps`, "latin1").length > 0);
  const program = tried(() => spawnSync("/bin/sh", ["-c", "true"]).error?.code);
  const renamed = tried(() => renameSync(join(directory, "file"), join(directory, "a/file")));
  const read = tried(() => readFileSync(join(directory, "a/file"), "utf8"));
  rmSync(directory, { recursive: true });
  console.log(JSON.stringify({ layer, memory, program, renamed, read }));
}

// Every thread has to follow: the one that waits for SIGUSR1 could not.
if (process.argv[2] === "limited") main(process.argv[3]);
else {
  const args = ["--no-warnings", "--disable-sigusr1", fileURLToPath(import.meta.url)];
  spawnSync(process.execPath, [...args, "limited", String(process.pid)], { stdio: "inherit" });
}
