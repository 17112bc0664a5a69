/**
 * Owns inputs of host tools that are too large for one message, of one process: the parts that have come.
 *
 * Invariants: what is kept is counted in the machine's account from the first part until the call is over, and is bounded in
 * bytes and number; an input is called with once.
 * Untrusted: numbers, and how much comes.
 */
import { Errno } from "../../abi/errno.js";
import { mostToolBytes } from "../../protocol/tools.js";
import { limits } from "../limits.js";
import type { Account } from "../machine/account.js";

interface Coming {
  readonly parts: Buffer[];
  bytes: number;
}

/** An input that is whole; `over` is called once, when nobody needs it any more. */
export interface WholeInput {
  readonly bytes: Uint8Array;
  over(): void;
}

export class ToolInputs {
  readonly #account: Account;
  readonly #mostBytes: number;
  readonly #coming = new Map<number, Coming>();
  #last = 0;

  constructor(account: Account, valueBytes: number) {
    this.#account = account;
    this.#mostBytes = mostToolBytes(valueBytes);
  }

  /** Keeps a part of `number`, or of a new input for 0; without data forgets it. Answers its number, or -errno. */
  add(number: number, data: Uint8Array): number {
    if (number !== 0 && !this.#coming.has(number)) return -Errno.EBADF;
    const size = data.byteLength;
    if (size === 0) return this.#forget(number);
    const { parts, bytes } = this.#coming.get(number) ?? { parts: [], bytes: 0 };
    if (bytes + size > this.#mostBytes) return -Errno.E2BIG;
    if (number === 0 && this.#coming.size >= limits.toolInputs) return -Errno.EAGAIN;
    if (!this.#account.grow(size)) return -Errno.ENOMEM;
    parts.push(Buffer.from(data));
    const kept = number === 0 ? ++this.#last : number;
    this.#coming.set(kept, { parts, bytes: bytes + size });
    return kept;
  }

  #forget(number: number): number {
    this.#account.shrink(this.#coming.get(number)?.bytes ?? 0);
    this.#coming.delete(number);
    return 0;
  }

  /** All of it with `rest` behind, or -errno. */
  take(number: number, rest: Uint8Array): WholeInput | number {
    const found = this.#coming.get(number);
    if (found === undefined) return -Errno.EBADF;
    this.#coming.delete(number);
    let { bytes: held } = found;
    const over = (): void => {
      this.#account.shrink(held);
      held = 0;
    };
    if (held + rest.byteLength <= this.#mostBytes)
      return { bytes: Buffer.concat([...found.parts, rest]), over };
    over();
    return -Errno.E2BIG;
  }

  /** The process is gone, or is another one. */
  clear(): void {
    for (const number of this.#coming.keys()) this.#forget(number);
  }
}
