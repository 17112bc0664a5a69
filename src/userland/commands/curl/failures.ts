/** Owns the words and exit codes of `curl` for what went wrong; curl(1), EXIT CODES. */
import { errorCode } from "../../support/errors.js";

export const manual = "curl: try 'curl --help' or 'curl --manual' for more information\n";

/** How a transfer that came to nothing is told. */
export function networkFailure(
  url: URL,
  error: unknown,
  { ms, bytes }: { ms: number; bytes: number },
): { status: number; message: string } {
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  const code = errorCode(error) ?? "";
  switch (code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return { status: 6, message: `Could not resolve host: ${url.hostname}` };
    case "ECONNREFUSED":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EACCES":
      return {
        status: 7,
        message: `Failed to connect to ${url.hostname} port ${port} after ${ms} ms: Couldn't connect to server`,
      };
    case "ETIMEDOUT":
      return {
        status: 28,
        message: `Operation timed out after ${ms} milliseconds with ${bytes} bytes received`,
      };
    case "ECONNRESET":
      return { status: 52, message: "Empty reply from server" };
    case "ENOENT":
    case "EISDIR":
      return { status: 23, message: `Failure writing output to destination` };
  }
  if (code.includes("CERT") || code.includes("SIGNATURE") || code.includes("SELF_SIGNED")) {
    return { status: 60, message: `SSL certificate problem: ${(error as Error).message}` };
  }
  return { status: 56, message: (error as Error).message };
}
