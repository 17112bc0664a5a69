/**
 * Owns the files that the host has in transfer, which one message cannot carry.
 *
 * Invariant: a transfer ends with its last part, with its first failure or with the VM.
 * Untrusted: nothing but file content; the host's SDK is trusted.
 */
import { type OpenFile, writeAll } from "../fs/index.js";
import type { Deferred } from "../io/deferred.js";
import type { Vm } from "../machine/vm.js";
import { readRest } from "../syscalls/fs-transfer.js";
import { HostError } from "./error.js";
import { answeredWith, checked } from "./file-answers.js";

export interface Transfer {
  vm: Vm;
  file: OpenFile;
  path: string;
}

/** A number of 0 is a transfer that has none yet: its first part. */
export class FileTransfers {
  readonly vmOf: (handle: number) => Vm;
  readonly #transfers = new Map<number, Transfer>();
  #last = 0;

  constructor(vmOf: (handle: number) => Vm) {
    this.vmOf = vmOf;
  }

  of(id: number, vm: number): Transfer {
    const transfer = this.#transfers.get(id);
    if (transfer === undefined || transfer.vm !== this.vmOf(vm))
      throw new HostError("ERR_SECURE_EXEC_INTERNAL", "the file is not in transfer");
    return transfer;
  }

  /** The next part of a file; the transfer ends with the last one. */
  nextPart(transfer: Transfer, id: number): { data: Buffer; more: boolean; file: number } {
    let part: ReturnType<typeof readRest>;
    try {
      part = readRest(transfer.file);
    } catch (error) {
      // It is opened again when the call is run again.
      if (id === 0) transfer.file.unref();
      throw error;
    }
    const more = typeof part !== "number" && part.more;
    if (!more) this.#end(transfer, id);
    const { data } = checked(part, "read", transfer.path);
    return { data, more, file: more ? id || this.#begin(transfer) : 0 };
  }

  writePart(
    transfer: Transfer,
    id: number,
    data: Uint8Array,
    more: boolean,
  ): { file: number } | Promise<{ file: number }> {
    const failure = writeAll(transfer.file, data);
    if (failure === 0 && more) return { file: id || this.#begin(transfer) };
    const stored: number | Deferred<0> = transfer.file.flush();
    this.#end(transfer, id);
    return answeredWith(failure || stored, "write", transfer.path, () => ({ file: 0 }));
  }

  abandon(id: number, vm: number): void {
    const transfer = this.#transfers.get(id);
    if (transfer?.vm === this.vmOf(vm)) this.#end(transfer, id);
  }

  release(vm: Vm): void {
    for (const [id, transfer] of this.#transfers) if (transfer.vm === vm) this.#end(transfer, id);
  }

  #begin(transfer: Transfer): number {
    do this.#last = (this.#last + 1) >>> 0;
    while (this.#last === 0 || this.#transfers.has(this.#last));
    this.#transfers.set(this.#last, transfer);
    return this.#last;
  }

  #end(transfer: Transfer, id: number): void {
    transfer.file.unref();
    this.#transfers.delete(id);
  }
}
