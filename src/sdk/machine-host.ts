/**
 * Owns what the kernel may ask the host about one VM: its policy functions and
 * its tools. The other end of kernel/host-requests.ts.
 *
 * Invariant: every question gets one answer, however the host's code behaves,
 * unless the kernel takes it back first.
 * Untrusted: requests and inputs, which guests have caused.
 */
import type { Answer, Request, Scope } from "../protocol/permissions.js";
import { askFunction } from "./permissions.js";
import type { PermissionFunctions } from "./permissions.js";
import { HostToolbox } from "./tools.js";

export interface MachineHostPort {
  judged(id: number, answers: Answer[]): void;
  toolDone(id: number, ok: boolean, json: Uint8Array): void;
}

export class MachineHost {
  readonly tools = new HostToolbox();
  readonly #functions: PermissionFunctions;
  readonly #port: MachineHostPort;

  constructor(functions: PermissionFunctions, port: MachineHostPort) {
    this.#functions = functions;
    this.#port = port;
  }

  judge(id: number, scope: Scope, requests: Request[]): void {
    void askFunction(this.#functions, scope, requests).then((answers) =>
      this.#port.judged(id, answers),
    );
  }

  toolCall(id: number, name: string, input: Uint8Array): void {
    this.tools.call(id, name, input, (ok, json) => this.#port.toolDone(id, ok, json));
  }

  toolCancel(id: number): void {
    this.tools.cancel(id);
  }

  /** The machine or its kernel is gone. */
  close(): void {
    this.tools.cancelAll();
  }
}
