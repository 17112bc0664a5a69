/**
 * Owns the parts that the older generation was put together from and that mean little now: the
 * engine's handle, the network adapter, the command executor.
 *
 * Invariant: none of them gives a program anything of the host's.
 */
import { invalidOption } from "../errors.js";

/** Runs commands. Only its type is known here: a machine's commands are its own. */
export interface CommandExecutor {
  spawn(
    command: string,
    args: string[],
    options: {
      cwd?: string;
      env?: Record<string, string>;
      onStdout?: (chunk: Uint8Array) => void;
      onStderr?: (chunk: Uint8Array) => void;
    },
  ): {
    writeStdin(data: Uint8Array | string): void;
    closeStdin(): void;
    kill(signal?: number): void;
    wait(): Promise<number>;
  };
}

/** The engine of machines; there is nothing to dispose of. */
export class NodeV8Runtime {
  async dispose(): Promise<void> {}
}

/** The engine is started with the first machine; this only has a name to give to the factory. */
export async function createNodeV8Runtime(): Promise<NodeV8Runtime> {
  return new NodeV8Runtime();
}

/** Says that programs use the machine's network, as far as the permissions go. */
export class DefaultNetworkAdapter {}

export function createDefaultNetworkAdapter(): DefaultNetworkAdapter {
  return Object.freeze(new DefaultNetworkAdapter());
}

/** Throws INVALID_OPTION for what is no command executor. */
export function checkCommandExecutor(value: unknown): void {
  const spawn = typeof value === "object" && value !== null && "spawn" in value && value.spawn;
  if (typeof spawn !== "function")
    throw invalidOption("commandExecutor", "must be an object with a spawn function");
}
