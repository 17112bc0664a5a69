/**
 * A small assembler for classic BPF, as seccomp runs it: labels instead of
 * offsets, every jump checked. It knows nothing of system calls.
 */

const LD_ABS = 0x20;
const AND = 0x54;
const JA = 0x05;
const JEQ = 0x15;
const JGE = 0x35;
const JSET = 0x45;
const RET = 0x06;

/** The kernel's BPF_MAXINSNS. */
const MAX_INSTRUCTIONS = 4096;

/** A place in the program, named before or after it is reached. */
export interface Label {
  readonly name: string;
}

/** The next instruction. */
export const NEXT: Label = Object.freeze({ name: "next" });

interface Instruction {
  readonly code: number;
  readonly k: number;
  readonly yes: Label;
  readonly no: Label;
}

export interface Program {
  /** `struct sock_filter[]`. */
  readonly bytes: Buffer;
  /** For each mark: the byte offsets of the constants that carry it. */
  readonly marks: ReadonlyMap<string, readonly number[]>;
}

export class Assembler {
  readonly #code: Instruction[] = [];
  readonly #places = new Map<Label, number>();
  readonly #marks = new Map<string, number[]>();

  label(name: string): Label {
    return { name };
  }

  place(label: Label): void {
    if (label === NEXT || this.#places.has(label)) throw new Error(`bpf: ${label.name} is placed`);
    this.#places.set(label, this.#code.length);
  }

  /** A ← the 32-bit word at `offset` of seccomp_data. */
  load(offset: number): void {
    if (offset % 4 !== 0 || offset < 0 || offset >= 64) throw new Error(`bpf: load ${offset}`);
    this.#emit(LD_ABS, offset, NEXT, NEXT);
  }

  and(mask: number): void {
    this.#emit(AND, mask, NEXT, NEXT);
  }

  jump(to: Label): void {
    this.#emit(JA, 0, to, NEXT);
  }

  /** With a mark, the constant can be found again in the finished program. */
  ifEqual(value: number, yes: Label, no: Label, mark?: string): void {
    if (mark !== undefined) {
      const offsets = this.#marks.get(mark) ?? [];
      offsets.push(8 * this.#code.length + 4);
      this.#marks.set(mark, offsets);
    }
    this.#emit(JEQ, value, yes, no);
  }

  ifAtLeast(value: number, yes: Label, no: Label): void {
    this.#emit(JGE, value, yes, no);
  }

  ifAnyBit(mask: number, yes: Label, no: Label): void {
    this.#emit(JSET, mask, yes, no);
  }

  ret(value: number): void {
    this.#emit(RET, value, NEXT, NEXT);
  }

  finish(): Program {
    const count = this.#code.length;
    if (count === 0 || count > MAX_INSTRUCTIONS) throw new Error(`bpf: ${count} instructions`);
    if (this.#code[count - 1]!.code !== RET) throw new Error("bpf: the end is open");
    const bytes = Buffer.alloc(8 * count);
    this.#code.forEach(({ code, k, yes, no }, at) => {
      bytes.writeUInt16LE(code, 8 * at);
      if (code === JA) {
        bytes.writeUInt32LE(this.#distance(at, yes, 0xffff), 8 * at + 4);
        return;
      }
      bytes.writeUInt8(this.#distance(at, yes, 255), 8 * at + 2);
      bytes.writeUInt8(this.#distance(at, no, 255), 8 * at + 3);
      bytes.writeUInt32LE(k, 8 * at + 4);
    });
    return { bytes, marks: this.#marks };
  }

  #emit(code: number, k: number, yes: Label, no: Label): void {
    this.#code.push({ code, k: k >>> 0, yes, no });
  }

  /** Classic BPF only jumps forward, and a conditional jump at most 255 instructions. */
  #distance(at: number, label: Label, limit: number): number {
    if (label === NEXT) return 0;
    const place = this.#places.get(label);
    if (place === undefined) throw new Error(`bpf: ${label.name} is not placed`);
    const distance = place - at - 1;
    if (distance < 0 || distance > limit || place >= this.#code.length) {
      throw new Error(`bpf: jump of ${distance} to ${label.name}`);
    }
    return distance;
  }
}
