/** Owns `time`, the reserved word of bash. */
import type { Environment } from "./environment.js";
import type { Interpreter } from "./interpreter.js";
import { encodeText } from "./text.js";

/** Runs a pipeline and tells on standard error how long it took. */
export async function timed(
  { system }: Interpreter,
  env: Environment,
  run: () => Promise<number>,
): Promise<number> {
  const startMs = system.nowMs();
  const before = system.cpuTimes();
  const status = await run();
  const after = system.cpuTimes();
  const user = after.userMs + after.childUserMs - before.userMs - before.childUserMs;
  const kernel = after.systemMs + after.childSystemMs - before.systemMs - before.childSystemMs;
  const text = `\n${row("real", system.nowMs() - startMs)}${row("user", user)}${row("sys", kernel)}`;
  await env.descriptors.get(2)?.write(encodeText(text));
  return status;
}

function row(name: string, durationMs: number): string {
  const seconds = durationMs / 1000;
  return `${name}\t${Math.floor(seconds / 60)}m${(seconds % 60).toFixed(3)}s\n`;
}
