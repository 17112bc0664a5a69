/**
 * Owns the logical descriptors of the shell's environments. A subshell has a
 * table of its own over shared, counted descriptors, so that a redirection in
 * one disturbs no other although all live in one process.
 *
 * What a command substitution captures and what a here-document says stays in
 * memory as long as only builtins touch it; the first child that needs it turns
 * it into a pipe.
 */
import { Errno } from "../../abi/errno.js";
import { limits } from "./limits.js";
import type { ShellSystem } from "./system.js";
import { concatBytes } from "./text.js";

const NEWLINE = 10;
const CHUNK_BYTES = 64 * 1024;

export abstract class Descriptor {
  #references = 0;

  retain(): this {
    this.#references += 1;
    return this;
  }

  release(): void {
    this.#references -= 1;
    if (this.#references === 0) this.dispose();
  }

  /** Empty at the end of file, or `-errno`. */
  abstract read(maxBytes: number): Promise<Uint8Array | number>;
  /** To the next newline, included, and never beyond it. */
  abstract readLine(maxBytes: number): Promise<Uint8Array | number>;
  /** Whether a read would not wait, after at most that long. */
  abstract readable(timeoutMs: number): Promise<boolean>;
  /** At most so that a file is `fileBytes` long. */
  abstract write(data: Uint8Array, fileBytes?: number): Promise<number>;
  /** The process's descriptor behind it, for a child; or `-errno`. */
  abstract real(): number;
  protected abstract dispose(): void;
}

export class RealDescriptor extends Descriptor {
  #seekable: boolean | undefined;

  constructor(
    readonly system: ShellSystem,
    readonly fd: number,
  ) {
    super();
  }

  read(maxBytes: number): Promise<Uint8Array | number> {
    return this.system.read(this.fd, maxBytes);
  }

  async readLine(maxBytes: number): Promise<Uint8Array | number> {
    const { system, fd } = this;
    if (system.readLine !== undefined) return system.readLine(fd, maxBytes);
    this.#seekable ??= system.seekBy(fd, 0) >= 0;
    const chunks: Uint8Array[] = [];
    for (let length = 0; length < maxBytes;) {
      const bytes = await system.read(fd, this.#seekable ? Math.min(4096, maxBytes - length) : 1);
      if (typeof bytes === "number") return bytes;
      if (bytes.length === 0) break;
      const newline = bytes.indexOf(NEWLINE);
      if (newline >= 0 && newline + 1 < bytes.length) {
        system.seekBy(fd, newline + 1 - bytes.length);
        chunks.push(bytes.subarray(0, newline + 1));
      } else chunks.push(bytes);
      length += bytes.length;
      if (newline >= 0) break;
    }
    return concatBytes(chunks);
  }

  readable(timeoutMs: number): Promise<boolean> {
    return this.system.readable(this.fd, timeoutMs);
  }

  write(data: Uint8Array, fileBytes = Infinity): Promise<number> {
    if (fileBytes !== Infinity) return this.system.writeWithin(this.fd, data, fileBytes);
    return this.system.write(this.fd, data);
  }

  real(): number {
    return this.fd;
  }

  protected dispose(): void {
    this.system.close(this.fd);
  }
}

/** Where a command substitution's output goes. */
export class Capture extends Descriptor {
  readonly #chunks: Uint8Array[] = [];
  #length = 0;
  #pipeEnd: number | undefined;
  #pumping: Promise<void> | undefined;
  #released: () => void = () => {};
  readonly #unused = new Promise<void>((resolve) => (this.#released = resolve));

  constructor(readonly system: ShellSystem) {
    super();
  }

  /** Everything written, once every holder of it and of its pipe is gone. */
  async output(): Promise<Uint8Array> {
    await this.#unused;
    await this.#pumping;
    return concatBytes(this.#chunks);
  }

  async read(): Promise<number> {
    return -Errno.EBADF;
  }

  async readLine(): Promise<number> {
    return -Errno.EBADF;
  }

  async readable(): Promise<boolean> {
    return true;
  }

  async write(data: Uint8Array): Promise<number> {
    if (this.#pipeEnd !== undefined) return this.system.write(this.#pipeEnd, data);
    return this.append(new Uint8Array(data));
  }

  real(): number {
    if (this.#pipeEnd === undefined) {
      const pipe = this.system.pipe();
      if (typeof pipe === "number") return pipe;
      this.#pipeEnd = pipe[1];
      this.#pumping = this.#pump(pipe[0]);
    }
    return this.#pipeEnd;
  }

  protected dispose(): void {
    if (this.#pipeEnd !== undefined) this.system.close(this.#pipeEnd);
    this.#released();
  }

  /** Whether everything written so far came from this process, and `append` keeps the order. */
  get inMemory(): boolean {
    return this.#pipeEnd === undefined;
  }

  /** `data` is not the caller's any more. */
  append(data: Uint8Array): number {
    if (this.#length + data.length > limits.textLength) return -Errno.ENOSPC;
    this.#length += data.length;
    this.#chunks.push(data);
    return 0;
  }

  async #pump(fd: number): Promise<void> {
    for (;;) {
      const bytes = await this.system.read(fd, CHUNK_BYTES);
      if (typeof bytes === "number" || bytes.length === 0 || this.append(bytes) < 0) break;
    }
    this.system.close(fd);
  }
}

/** The body of a here-document. */
export class TextSource extends Descriptor {
  #position = 0;
  #pipe: RealDescriptor | undefined;

  constructor(
    readonly system: ShellSystem,
    readonly bytes: Uint8Array,
  ) {
    super();
  }

  async read(maxBytes: number): Promise<Uint8Array | number> {
    if (this.#pipe !== undefined) return this.#pipe.read(maxBytes);
    return this.take(maxBytes);
  }

  /** Whether nobody else reads it. */
  get inMemory(): boolean {
    return this.#pipe === undefined;
  }

  take(maxBytes: number): Uint8Array {
    return this.#take(this.#position + maxBytes);
  }

  async readLine(maxBytes: number): Promise<Uint8Array | number> {
    if (this.#pipe !== undefined) return this.#pipe.readLine(maxBytes);
    const newline = this.bytes.indexOf(NEWLINE, this.#position);
    const end = newline < 0 ? this.bytes.length : newline + 1;
    return this.#take(Math.min(end, this.#position + maxBytes));
  }

  async readable(timeoutMs: number): Promise<boolean> {
    return this.#pipe === undefined || this.#pipe.readable(timeoutMs);
  }

  async write(): Promise<number> {
    return -Errno.EBADF;
  }

  real(): number {
    if (this.#pipe === undefined) {
      const pipe = this.system.pipe();
      if (typeof pipe === "number") return pipe;
      this.#pipe = new RealDescriptor(this.system, pipe[0]).retain();
      void this.system
        .write(pipe[1], this.#take(this.bytes.length))
        .then(() => this.system.close(pipe[1]));
    }
    return this.#pipe.fd;
  }

  protected dispose(): void {
    this.#pipe?.release();
  }

  #take(end: number): Uint8Array {
    const from = this.#position;
    this.#position = Math.min(end, this.bytes.length);
    return this.bytes.subarray(from, this.#position);
  }
}

/** The descriptors of one environment. */
export class DescriptorTable {
  readonly #entries = new Map<number, Descriptor>();

  get(fd: number): Descriptor | undefined {
    return this.#entries.get(fd);
  }

  set(fd: number, descriptor: Descriptor): void {
    descriptor.retain();
    this.#entries.get(fd)?.release();
    this.#entries.set(fd, descriptor);
  }

  close(fd: number): void {
    this.#entries.get(fd)?.release();
    this.#entries.delete(fd);
  }

  clone(): DescriptorTable {
    const copy = new DescriptorTable();
    for (const [fd, descriptor] of this.#entries) copy.set(fd, descriptor);
    return copy;
  }

  /** Closes all but what the process had from its start. */
  closeOpened(inherited: readonly number[]): void {
    for (const [fd, descriptor] of this.#entries) {
      const isInherited = descriptor instanceof RealDescriptor && inherited.includes(descriptor.fd);
      if (!isInherited) this.close(fd);
    }
  }

  closeAll(): void {
    for (const descriptor of this.#entries.values()) descriptor.release();
    this.#entries.clear();
  }

  /** Child's number → the process's own; or `-errno` when a pipe for it cannot be had. */
  forChild(): Map<number, number> | number {
    const map = new Map<number, number>();
    for (const [fd, descriptor] of this.#entries) {
      const real = descriptor.real();
      if (real < 0) return real;
      map.set(fd, real);
    }
    return map;
  }
}
