/**
 * Bindings that are not virtual yet. Their calls fail as "operation not
 * permitted", shaped like Node's; docs/compatibility.md is checked against
 * this table. It protects nothing: seccomp stands behind each of them.
 */
import { Errno } from "../../abi/errno.js";
import type { EngineTools } from "../environment.js";

type Kind = "class" | "function";

interface Refusal {
  binding: string;
  name: string;
  kind: Kind;
  syscall: string;
}

export const refusals: readonly Refusal[] = Object.freeze([]);

function refusal(syscall: string): Error {
  return Object.assign(new Error(`EPERM: operation not permitted, ${syscall}`), {
    errno: -Errno.EPERM,
    code: "EPERM",
    syscall,
  });
}

export function installDenials({ internalBinding }: EngineTools): void {
  for (const { binding, name, syscall } of refusals) {
    const target = internalBinding(binding);
    if (typeof target?.[name] !== "function")
      throw new Error(`binding ${binding}.${name} is not in this engine`);
    target[name] = function refused() {
      throw refusal(syscall);
    };
  }
}
