/**
 * Owns the names that process.setuid and its siblings take, which C++ would look up in the host's files.
 * Whether a process may become somebody else is not decided here: the engine's own function asks the
 * system, which refuses.
 */
import { O_RDONLY } from "../../abi/fcntl.js";
import type { EngineTools } from "../environment.js";

/** passwd(5) and group(5) begin alike: the name, a password, the number. */
const [users, groups] = ["/etc/passwd", "/etc/group"];

const setters = [
  ["setuid", users],
  ["seteuid", users],
  ["setgid", groups],
  ["setegid", groups],
] as const;

/** Of the main thread: workers cannot set them. */
export function installCredentials({ internalBinding }: EngineTools): void {
  if (internalBinding("worker").ownsProcessState !== true) return;
  const idOf = (file: string, name: string): number | undefined => {
    try {
      const text = internalBinding("fs").readFileUtf8(file, O_RDONLY) as string;
      const entry = text.split("\n").find((line) => line.startsWith(`${name}:`));
      return entry === undefined ? undefined : Number(entry.split(":")[2]);
    } catch {
      return undefined;
    }
  };
  for (const [name, file] of setters) {
    const engine = process[name]!.bind(process);
    // Of a name that is not there the engine says so.
    const set = (id: number | string) =>
      engine(typeof id === "string" ? (idOf(file, id) ?? id) : id);
    // Node's own are anonymous (lib/internal/bootstrap/switches/does_own_process_state.js).
    process[name] = Object.defineProperty(set, "name", { value: "", configurable: true });
  }
}
