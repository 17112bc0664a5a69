/**
 * Owns the names of one VM's host tools: which exist, under which aliases, and
 * what is said about each. Handlers live in the host; see sdk/tools.ts.
 *
 * Invariant: a name or alias stands for one tool for the life of the VM, unless
 * the host registers that tool again.
 * Untrusted: names that guests ask for. Trusted: descriptors, which the SDK has checked.
 */
import { executorTool, fromShellMark } from "../../protocol/host-commands.js";
import type { ToolDescriptor } from "../../protocol/tools.js";

export class ToolRegistry {
  readonly #tools = new Map<string, ToolDescriptor>();
  readonly #aliases = new Map<string, string>();

  /** Whether the host runs commands that the machine has not. */
  executor = false;
  /** Whether it also runs those that only the machine's shell did not find. */
  executorServesShell = false;

  get size(): number {
    return this.#tools.size;
  }

  register(descriptors: readonly ToolDescriptor[]): void {
    for (const descriptor of descriptors) {
      if (descriptor.name === executorTool) {
        this.executor = true;
        this.executorServesShell = descriptor.description === fromShellMark;
        continue;
      }
      this.#tools.set(descriptor.name, descriptor);
      for (const alias of descriptor.aliases) this.#aliases.set(alias, descriptor.name);
    }
  }

  find(name: string): ToolDescriptor | undefined {
    return this.#tools.get(name) ?? this.#tools.get(this.#aliases.get(name) ?? "");
  }

  all(): ToolDescriptor[] {
    return [...this.#tools.values()];
  }

  /** Every command that stands for a tool: file name → the tool's name. */
  commandNames(): Map<string, string> {
    const commands = new Map(this.#aliases);
    for (const name of this.#tools.keys()) commands.set(name, name);
    return commands;
  }
}
