/**
 * Owns `secure-exec shell`: a shell in a fresh virtual machine at the terminal of whoever called.
 * Invariant: the host's terminal is as it was at every end, also by a signal or an error.
 * Untrusted: the shell's output, which is bytes for the terminal.
 */
import { NodeRuntime } from "../sdk/runtime.js";

const endingSignals = ["SIGTERM", "SIGHUP", "SIGINT"] as const;

/** Runs until the shell ends; resolves with the exit code for this process. */
export async function shell(command: string | undefined, args: string[]): Promise<number> {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY) {
    process.stderr.write("secure-exec: shell needs a terminal; run takes a file and pipes\n");
    return 2;
  }
  const runtime = await NodeRuntime.create();
  const restore = (): void => void stdin.setRawMode(false);
  process.once("exit", restore);
  try {
    const size = (): { cols: number; rows: number } => ({
      cols: stdout.columns || 80,
      rows: stdout.rows || 24,
    });
    const { TERM = "xterm-256color", COLORTERM } = process.env;
    const opened = await runtime.openShell({
      ...size(),
      ...(command !== undefined && { command, args }),
      env: { TERM, ...(COLORTERM !== undefined && { COLORTERM }) },
    });
    stdin.setRawMode(true);
    stdin.on("data", (keys: Buffer) => opened.write(keys));
    stdin.on("end", () => opened.kill());
    stdout.on("resize", () => opened.resize(size().cols, size().rows));
    for (const signal of endingSignals) process.on(signal, () => opened.kill());
    for await (const bytes of opened) {
      if (stdout.write(bytes)) continue;
      await new Promise((resolve) => stdout.once("drain", resolve));
    }
    return await opened.wait();
  } finally {
    restore();
    stdin.pause();
    await runtime.dispose();
  }
}
