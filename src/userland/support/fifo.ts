/** Owns making fifos, which Node has no function for. */
import { errnoName } from "../../abi/errno.js";
import type { CommandContext } from "../command.js";

/** mkfifo(3), failing as Node's own functions do. */
export function makeFifo(context: CommandContext, path: string, mode: number): void {
  const result = context.makeFifo(path, mode);
  if (result === 0) return;
  const code = errnoName(-result) ?? "EIO";
  throw Object.assign(new Error(`${code}, mkfifo '${path}'`), { code, path, syscall: "mkfifo" });
}
