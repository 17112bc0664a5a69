/** The one-shot jobs of Node's `fs` binding: a whole file read or written, a directory copied. To async hooks each is a request. */
import { beginRequest } from "../async-resources.js";
import { copyDirectory } from "./fs-copy.js";
import type { CopyOptions, SpecialFile } from "./fs-copy.js";
import { readFile, writeFile } from "./fs-contents.js";
import { runner } from "./fs-runner.js";
import type { Operation } from "./fs-runner.js";
import type { PathArgument } from "./fs-values.js";

/** A whole file in one call. `ondone(error, buffer, fd, size, closeError)`, with `fd` -1 as nothing stays open. */
export class ReadFileJob {
  declare ondone: (...args: unknown[]) => void;
  readonly #flags: number;

  constructor(_path: PathArgument, flags: number) {
    this.#flags = flags;
    beginRequest("FSREQCALLBACK", this);
  }

  run(path: PathArgument): undefined {
    startRead(this, path, this.#flags);
  }
}

export class WriteFileJob {
  declare ondone: (...args: unknown[]) => void;
  readonly #path: PathArgument;
  readonly #flags: number;
  readonly #mode: number;
  readonly #data: ArrayBufferView;

  constructor(path: PathArgument, flags: number, mode: number, data: ArrayBufferView) {
    this.#path = path;
    this.#flags = flags;
    this.#mode = mode;
    this.#data = data;
    beginRequest("FSREQCALLBACK", this);
  }

  run(): undefined {
    startWrite(this, this.#path, this.#flags, this.#mode, this.#data);
  }
}

export type Job = { ondone(...args: unknown[]): void };

export function startRead(job: Job, path: PathArgument, flags: number): void {
  runner.async(readFile(path, flags, true), job, (error, data) => {
    if (error !== null) job.ondone(error);
    else job.ondone(null, data, -1, data?.byteLength, undefined);
  });
}

export function startWrite(
  job: Job,
  path: PathArgument,
  flags: number,
  mode: number,
  data: ArrayBufferView,
): void {
  const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  runner.async(writeFile(path, bytes, flags, mode), job, (error) => job.ondone(error));
}

/** `ondone(error, specialKind, specialPath)`. */
export class CpDirJob {
  declare ondone: (...args: unknown[]) => void;
  readonly #operation: () => Operation<SpecialFile | undefined>;

  constructor(
    source: PathArgument,
    target: PathArgument,
    force: boolean,
    dereference: boolean,
    errorOnExist: boolean,
    verbatimSymlinks: boolean,
    preserveTimestamps: boolean,
    mode?: number,
  ) {
    const options: CopyOptions = {
      force,
      dereference,
      errorOnExist,
      verbatimSymlinks,
      preserveTimestamps,
      mode: mode ?? 0,
    };
    this.#operation = () => copyDirectory(source, target, options);
    beginRequest("FSREQCALLBACK", this);
  }

  run(): undefined {
    runner.async(this.#operation(), this, (error, special) => {
      if (error !== null) this.ondone(error);
      else this.ondone(null, special?.kind, special?.path);
    });
  }
}
