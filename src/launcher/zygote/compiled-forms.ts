/**
 * Owns the forms of the guest-side modules that the engine compiled when the package was built, and that a zygote
 * is given them, and those of Node's own modules: it spares a third of a zygote's start. So are those of `git`, which its
 * guests load, each for itself: compiling them was half of what a command of it cost.
 *
 * A form is taken for the text that it was made of alone: the file holds checksums of dist/guest.json and dist/programs.json,
 * and what is of another one is left aside. V8 also demands the flags that a form was made under, of all flags the same. A zygote's
 * differ from plain Node's in what collects garbage and optimises, which no form depends on, so the zygote
 * writes plain Node's where V8 keeps the digest of its flags. Where that is, is from the engine's symbols, and believed
 * only once V8's own answer is found there. Setting any flag takes it back.
 *
 * Invariants: without the file, or with one of another engine or text, everything is compiled as ever. Untrusted: nothing.
 */
import type { Pretence } from "../../guest/engine-flags.js";
import type { SharedForms, ThreadScript } from "../../guest/loader.js";
import type { InternalBinding, RequireBuiltin } from "./engine-modules.js";

/** Where a form says which flags it was made under; SerializedCodeData, snapshot/code-serializer.h in V8. */
const flagsAt = 12;
const wordBytes = 4;

type Places = Readonly<Record<string, readonly [at: number, bytes: number]>>;

export interface FormsHeader {
  /** `process.version` and `process.arch` of the engine. */
  readonly engine: string;
  /** The digest of plain Node's flags, and its address in the engine; 0 where that is not known. */
  readonly flags: number;
  readonly flagsAddress: number;
  /** The CRC-32 of dist/guest.json, and in that, by module: where its text begins and ends. */
  readonly crc: number;
  readonly texts: Readonly<Record<string, readonly [from: number, to: number]>>;
  /** Behind the header, by module: where its form begins and how long it is. */
  readonly forms: Places;
  /** And behind those, of what a zygote loads: the text as it is, all of it in ASCII. */
  readonly plain: Places;
  /** Those of programs, and the CRC-32 of dist/programs.json that they were made of. */
  readonly programs: { readonly crc: number; readonly forms: Places };
  /** Behind those: the scripts of a thread's start and their forms. */
  readonly thread: readonly ThreadScript[];
}

const engineName = `${process.version} ${process.arch}`;

/** What V8 takes its flags to be, in this process. */
export function digestOfFlags(requireBuiltin: RequireBuiltin): number {
  const { Script } = requireBuiltin("vm");
  return (new Script("").createCachedData() as Buffer).readUInt32LE(flagsAt);
}

/** The CRC-32 of a text, by the engine: whether it is the one that forms were made of. Nobody else chooses either. */
function checksum(internalBinding: InternalBinding, text: Buffer): number {
  return internalBinding("zlib").crc32(text, 0) as number;
}

/** Forms by the names of their modules. */
type FormsByName = ReadonlyMap<string, Buffer>;

/** ASCII by the names of modules. */
type PlainTexts = ReadonlyMap<string, Buffer>;

/** Of a text by its checksum. */
interface FormsOfText {
  readonly crc: number;
  readonly forms: FormsByName;
}

/** In the build: all of the file. A form made under flags of the build says that it was made under `flags`. */
export function packForms(
  guest: FormsOfText,
  programs: FormsOfText,
  thread: readonly { readonly text: Buffer; readonly form: Buffer }[],
  {
    flags,
    flagsAddress,
    texts,
    plain,
  }: Pick<FormsHeader, "flags" | "flagsAddress" | "texts"> & { plain: PlainTexts },
): Buffer {
  let at = 0;
  const place = (group: FormsByName): Places => {
    const places: [string, [number, number]][] = [];
    for (const [id, form] of group) {
      form.writeUInt32LE(flags, flagsAt);
      places.push([id, [at, form.length]]);
      at += form.length;
    }
    return Object.fromEntries(places);
  };
  const own = place(guest.forms);
  const ofPrograms = place(programs.forms);
  const plainPlaces: Record<string, [number, number]> = {};
  for (const [id, text] of plain) {
    plainPlaces[id] = [at, text.length];
    at += text.length;
  }
  const scripts = thread.map(({ text: script, form }): ThreadScript => {
    form.writeUInt32LE(flags, flagsAt);
    const formAt = at + script.length;
    const found = { text: [at, formAt], form: [formAt, form.length] } as const;
    at = formAt + form.length;
    return found;
  });
  const header: FormsHeader = {
    engine: engineName,
    flags,
    flagsAddress,
    crc: guest.crc,
    texts,
    forms: own,
    plain: plainPlaces,
    programs: { crc: programs.crc, forms: ofPrograms },
    thread: scripts,
  };
  const json = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(wordBytes);
  size.writeUInt32LE(json.length);
  const threadBytes = thread.flatMap(({ text: script, form }) => [script, form]);
  const all = [
    ...guest.forms.values(),
    ...programs.forms.values(),
    ...plain.values(),
    ...threadBytes,
  ];
  return Buffer.concat([size, json, ...all]);
}

export class CompiledForms {
  readonly #header: FormsHeader;
  readonly #text: Buffer;
  readonly #file: Buffer;
  readonly #forms: Buffer;
  readonly #digest = Buffer.alloc(wordBytes);
  #programs: Places = {};
  #pretends = false;
  /** Modules that were not compiled anew. */
  used = 0;

  private constructor(header: FormsHeader, text: Buffer, file: Buffer, headerEnd: number) {
    this.#header = header;
    this.#text = text;
    this.#file = file;
    this.#forms = file.subarray(headerEnd);
    this.#digest.writeUInt32LE(header.flags);
  }

  /** The forms in `file`, when they are this engine's and of `text`. */
  static open(
    internalBinding: InternalBinding,
    file: Buffer,
    text: Buffer,
  ): CompiledForms | undefined {
    if (file.length < wordBytes) return undefined;
    const headerEnd = wordBytes + file.readUInt32LE(0);
    const header = JSON.parse(file.toString("latin1", wordBytes, headerEnd)) as FormsHeader;
    if (header.engine !== engineName || checksum(internalBinding, text) !== header.crc)
      return undefined;
    return new CompiledForms(header, text, file, headerEnd);
  }

  /** From now on the forms of programs are to be had as well, where they were made of this text. */
  addPrograms(internalBinding: InternalBinding, text: Buffer): void {
    const { crc, forms } = this.#header.programs;
    if (checksum(internalBinding, text) === crc) this.#programs = forms;
  }

  /** The module's form, for `vm.compileFunction`. */
  of(id: string): Buffer | undefined {
    for (const places of [this.#header.forms, this.#programs])
      if (Object.hasOwn(places, id)) {
        const [at, bytes] = places[id]!;
        return this.#forms.subarray(at, at + bytes);
      }
    return undefined;
  }

  /** The module's text, where a zygote loads it. */
  text(id: string): string | undefined {
    const { plain } = this.#header;
    if (!Object.hasOwn(plain, id)) return undefined;
    const [at, bytes] = plain[id]!;
    return this.#forms.toString("latin1", at, at + bytes);
  }

  /** Has V8 take forms that were made under plain Node's flags, until a flag is set. Before the process leaves the host. */
  pretendPlainFlags(requireBuiltin: RequireBuiltin): void {
    const { flags, flagsAddress } = this.#header;
    const own = digestOfFlags(requireBuiltin);
    if (flagsAddress === 0 || own === flags) return;
    const { closeSync, openSync, readSync, writeSync } = requireBuiltin("fs");
    let memory = -1;
    try {
      // An address where nothing is mapped is an error here, and nothing else.
      memory = openSync("/proc/self/mem", "r+");
      const found = Buffer.alloc(wordBytes);
      readSync(memory, found, 0, wordBytes, flagsAddress);
      if (found.readUInt32LE() !== own) return;
      writeSync(memory, this.#digest, 0, wordBytes, flagsAddress);
      this.#pretends = true;
    } catch {
      // No /proc, or an engine that lies elsewhere: the old price.
    } finally {
      if (memory >= 0) closeSync(memory);
    }
  }

  /** What it takes to do the same again after flags were set; undefined where V8 takes no forms. */
  get pretence(): Pretence | undefined {
    const { flags, flagsAddress } = this.#header;
    return this.#pretends ? { digest: flags, address: flagsAddress } : undefined;
  }

  /** The forms for threads, where text and file were read into memory that they can have. */
  get shared(): SharedForms | undefined {
    const { buffer: memory, byteOffset: formsAt } = this.#forms;
    const { buffer: textMemory, byteOffset: textsAt } = this.#text;
    const { pretence } = this;
    if (pretence === undefined || textMemory !== memory || !(memory instanceof SharedArrayBuffer))
      return undefined;
    return {
      memory,
      header: [this.#file.byteOffset + wordBytes, formsAt],
      textsAt,
      formsAt,
      pretence,
      start: this.#header.thread.map(({ text: [from, to], form: [at, bytes] }) => ({
        text: [formsAt + from, formsAt + to],
        form: [formsAt + at, bytes],
      })),
    };
  }
}
