/**
 * Owns blobs over files (`fs.openAsBlob`). The engine's own would open the file by itself, past the machine;
 * here the blob holds what the file held when it was made, and a reader fails, as Node's does, once the file is
 * another or has changed. What is made of such a blob and others (`new Blob([blob])`) holds the bytes for good.
 */
import { StatSlot } from "../../protocol/fs-calls.js";
import type { GuestEnvironment } from "../environment.js";
import { readFile } from "./fs-contents.js";
import { statPath } from "./fs-entries.js";
import { runner } from "./fs-runner.js";
import type { PathArgument } from "./fs-values.js";

/** What `pull` of the engine's reader reports: a status, and bytes. */
type Pulled = (status: number, bytes?: ArrayBuffer) => void;
interface Reader {
  pull(done: Pulled): void;
}
/** Blob of src/node_blob.h. */
interface Handle {
  getReader(): Reader;
  slice(start: number, end: number): Handle;
}

/** UV_EINVAL, as a reader of src/dataqueue/queue.cc reports a file that has changed. */
const changed = -22;
/** What tells that a file is the one it was: FdEntry::CheckModified compares size and time. */
const witnesses = [StatSlot.dev, StatSlot.ino, StatSlot.size, StatSlot.mtime, StatSlot.mtimeNs];

type Unchanged = () => boolean;

function stateOf(path: PathArgument): string {
  const stats = runner.sync(statPath(path, true, false, true))!;
  return witnesses.map((slot) => stats[slot]).join();
}

/** Has its readers, and those of its slices, ask before each piece. */
function guard(handle: Handle, unchanged: Unchanged): Handle {
  const { getReader, slice } = handle;
  handle.getReader = (): Reader => {
    const reader = Reflect.apply(getReader, handle, []);
    const { pull } = reader;
    reader.pull = (done: Pulled): void => {
      if (unchanged()) Reflect.apply(pull, reader, [done]);
      else done(changed);
    };
    return reader;
  };
  handle.slice = (start: number, end: number): Handle =>
    guard(Reflect.apply(slice, handle, [start, end]), unchanged);
  return handle;
}

/** fs.js asks for the function late. */
export function installFileBlobs(env: GuestEnvironment): void {
  const { Blob } = env.requireBuiltin("buffer");
  const { lazyDOMException } = env.requireBuiltin("internal/util");
  const { kClone } = env.requireBuiltin("internal/worker/js_transferable");
  const { ERR_INVALID_STATE } = env.requireBuiltin("internal/errors").codes;
  const blobs = env.requireBuiltin("internal/blob");
  const refuseClone = (): never => {
    throw new ERR_INVALID_STATE("File-backed Blobs are not cloneable");
  };
  blobs.createBlobFromFilePath = (path: PathArgument, options?: { type?: string }): unknown => {
    try {
      const state = stateOf(path);
      const blob = new Blob([runner.sync(readFile(path, 0, true))], options);
      guard(blob[blobs.kHandle], () => {
        try {
          return stateOf(path) === state;
        } catch {
          return false;
        }
      });
      return Object.defineProperty(blob, kClone, { value: refuseClone });
    } catch {
      return lazyDOMException("The blob could not be read", "NotReadableError");
    }
  };
}
