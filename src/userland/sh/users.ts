/** Owns what /etc/passwd says of users. */
import { O_RDONLY } from "../../abi/fcntl.js";
import type { ShellSystem } from "./system.js";
import { decodeText } from "./text.js";

const MAX_BYTES = 1 << 20;

async function rows(system: ShellSystem): Promise<string[][]> {
  const fd = await system.open("/etc/passwd", O_RDONLY, 0);
  if (fd < 0) return [];
  let text = "";
  while (text.length < MAX_BYTES) {
    const bytes = await system.read(fd, 64 * 1024);
    if (typeof bytes === "number" || bytes.length === 0) break;
    text += decodeText(bytes);
  }
  system.close(fd);
  return text.split("\n").map((line) => line.split(":"));
}

/** The home of a user, or `undefined` when nobody has that name. */
export async function homeOf(system: ShellSystem, user: string): Promise<string | undefined> {
  return (await rows(system)).find(([name]) => name === user)?.[5];
}

export async function userNames(system: ShellSystem): Promise<string[]> {
  return (await rows(system)).flatMap(([name]) => (name ? [name] : []));
}
