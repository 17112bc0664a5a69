// A notebook: cells run one after the other in one process and see each other's globals. A cell that fails leaves the others'
// state as it is; one that does not end takes the process along, and the notebook starts a new one.
import { NodeRuntime, SecureExecError } from "secure-exec";

const rt = await NodeRuntime.create({ limits: { memoryBytes: 256 * 1024 * 1024 } });
let kernel = await rt.createResidentRunner();

async function cell(code: string): Promise<string> {
  try {
    const { stdout, stderr, exitCode } = await kernel.exec(code, { timeout: 5000 });
    const error = stderr.split("\n").find((line) => /^\w*Error/.test(line));
    return exitCode === 0 ? stdout.trim() : `failed: ${error}`;
  } catch (error) {
    if (!SecureExecError.isSecureExecError(error)) throw error;
    kernel = await rt.createResidentRunner();
    return `restarted: ${error.code}`;
  }
}

for (const code of [
  "globalThis.rows = [3, 1, 2]; console.log(rows.length)",
  "rows.sort(); console.log(rows.join())",
  "nothing.at.all",
  "console.log('still', rows.length)",
  "for (;;);",
  "console.log(typeof rows)",
])
  console.log(`> ${code}\n${await cell(code)}`);
await rt.dispose();
