/**
 * Owns what a template's machine was when its set-up had ended, for machines that begin from it: the files of
 * that moment, and what the template has open.
 *
 * Invariants: what is changed in any of these machines later is seen in no other; only what can be opened anew in
 * the other machine's own files goes there, and with it nothing that leads back. The files cost the template's machine
 * no more than its limits leave free: they go when it needs the room.
 * Untrusted: what the set-up has opened, and where its descriptors stand.
 */
import { FileSystem, OpenFile } from "../fs/index.js";
import { Stream } from "../io/stream.js";
import { describe } from "./describe.js";
import type { Description } from "./descriptors.js";
import type { Process } from "./process.js";
import type { Vm } from "../machine/vm.js";

/** The three that every program gets of its own. */
const lastStdio = 2;

export class SetUp {
  #files: FileSystem | undefined;

  constructor(vm: Vm) {
    this.#files = vm.fs.keep(() => this.dispose());
  }

  /** A clone of the machine's, which nobody writes to; undefined once it has gone. */
  get files(): FileSystem | undefined {
    return this.#files;
  }

  dispose(): void {
    this.#files?.dispose();
    this.#files = undefined;
  }
}

/** What of a process two could not have together, by names: connections, pipes, watches. Files and listeners they can. */
export function unshareable({ descriptors, watches }: Process): string[] {
  const names: string[] = [];
  for (const [fd, description] of descriptors.entries()) {
    if (fd <= lastStdio || !(description instanceof Stream) || description.isForAll) continue;
    names.push(`${description.kind} (descriptor ${fd})`);
  }
  const watched = watches.paths().length;
  return watched > 0 ? [...names, `file watch (${watched})`] : names;
}

/** What cannot be had open in another machine, as an error names it. */
export class Unshareable {
  constructor(readonly what: string) {}
}

/**
 * What a program has open that begins from `template`, one reference each: in the same machine the same
 * descriptions, in another one the same files, opened anew.
 */
export function inheritance(
  template: Process,
  vm: Vm,
): (readonly [fd: number, description: Description])[] | Unshareable {
  const given: (readonly [number, Description])[] = [];
  for (const [fd, description] of template.descriptors.entries()) {
    if (fd <= lastStdio) continue;
    const own = template.vm === vm ? shared(description) : reopened(description, vm);
    if (own === undefined) {
      for (const [, taken] of given) taken.unref();
      return new Unshareable(`descriptor ${fd} (${whatOf(description)})`);
    }
    given.push([fd, own]);
  }
  return given;
}

function shared(description: Description): Description {
  description.ref();
  return description;
}

function reopened(description: Description, vm: Vm): Description | undefined {
  return description instanceof OpenFile ? vm.fs.reopen(description) : undefined;
}

function whatOf(description: Description): string {
  return description instanceof OpenFile ? description.path.slice(0, 256) : describe(description);
}
