// Runs cases of the table through our shell, one after another in this process, and prints one line of
// JSON for each. Started with the cases as JSON in the file named by the first argument. The standard
// descriptors are the script's while it runs; the results go to a copy of the first ones.
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as libc from "../../../../dist/sandbox/libc.js";
import { loadGuestModule } from "../../../support/guest-modules.mjs";
import { hostSystem } from "../../../support/host-shell-system.mjs";

const { main } = loadGuestModule("userland/sh/main");
const shellScript = fileURLToPath(new URL("sh.mjs", import.meta.url));
const shellCommand = [process.execPath, "--no-warnings", shellScript, "sh"];
const [casesFile, ownPath] = process.argv.slice(2);
const { cases, environment } = JSON.parse(fs.readFileSync(casesFile, "utf8"));

libc.dup2(1, 900);
libc.dup2(2, 902);
for (const fd of [900, 902]) libc.setCloseOnExec(fd, true);
const nothing = libc.openReadWrite("/dev/null");
const directory = fs.mkdtempSync(join(tmpdir(), "sh-table-"));
const [out, err] = ["out", "err"].map((name) => join(directory, name));

for (const { name, script, shell, ownChildren } of cases) {
  const cwd = fs.mkdtempSync(join(tmpdir(), "sh-case-"));
  // A script may have closed them: what is opened next must not take their numbers.
  for (const fd of [0, 1, 2]) libc.dup2(nothing, fd);
  const files = [out, err].map((path) => fs.openSync(path, "w+"));
  libc.dup2(nothing, 0);
  libc.dup2(files[0], 1);
  libc.dup2(files[1], 2);
  process.umask(0o022);
  const system = hostSystem(shellCommand, [0, 1, 2], cwd);
  const PATH = ownChildren ? `${ownPath}:${environment.PATH}` : environment.PATH;
  let status;
  try {
    status = await main(system, [shell, "-c", script, "sh"], { ...environment, PATH });
  } catch (error) {
    status = String(error?.stack ?? error);
  }
  for (let signal = 1; signal <= 31; signal++) {
    if (![9, 11, 13, 17, 19].includes(signal)) system.onSignal(signal, "default");
  }
  const stdout = fs.readFileSync(out, "latin1");
  const stderr = fs.readFileSync(err, "latin1");
  for (const file of files) fs.closeSync(file);
  fs.rmSync(cwd, { recursive: true, force: true });
  fs.writeSync(900, `${JSON.stringify({ name, stdout, stderr, status })}\n`);
}
fs.rmSync(directory, { recursive: true });
fs.writeSync(900, `${JSON.stringify({ last: true })}\n`);
process.exit(0);
