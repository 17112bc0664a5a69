/** Owns a handle's part in keeping the event loop alive: it has one while it is referenced and active, as in libuv. */
import type { KernelClient } from "./environment.js";

export class LoopHold {
  readonly #kernel: Pick<KernelClient, "ref" | "unref">;
  #referenced = true;
  #active = false;

  constructor(kernel: Pick<KernelClient, "ref" | "unref">) {
    this.#kernel = kernel;
  }

  get isReferenced(): boolean {
    return this.#referenced;
  }

  get isHeld(): boolean {
    return this.#referenced && this.#active;
  }

  set referenced(referenced: boolean) {
    this.#set(referenced, this.#active);
  }

  set active(active: boolean) {
    this.#set(this.#referenced, active);
  }

  #set(referenced: boolean, active: boolean): void {
    const held = this.isHeld;
    this.#referenced = referenced;
    this.#active = active;
    if (this.isHeld === held) return;
    if (held) this.#kernel.unref();
    else this.#kernel.ref();
  }
}
