/** Owns what both ends of LZMA keep: its probabilities, and the state that they are looked up by. */
import { FormatError } from "./format-error.js";

export const bitModelTotal = 2048;
const half = bitModelTotal / 2;
export const top = 2 ** 24;

/** Probabilities of one stream, as the format names them. */
export class Model {
  readonly isMatch = new Uint16Array(12 << 4);
  readonly isRep = new Uint16Array(12);
  readonly isRepG0 = new Uint16Array(12);
  readonly isRepG1 = new Uint16Array(12);
  readonly isRepG2 = new Uint16Array(12);
  readonly isRep0Long = new Uint16Array(12 << 4);
  readonly posSlot = Array.from({ length: 4 }, () => new Uint16Array(64));
  readonly posSpecial = new Uint16Array(128);
  readonly align = new Uint16Array(16);
  readonly length = new LengthModel();
  readonly repLength = new LengthModel();
  literal = new Uint16Array(0);
  lc = 3;
  lp = 0;
  pb = 2;
  state = 0;
  rep0 = 0;
  rep1 = 0;
  rep2 = 0;
  rep3 = 0;

  setProperties(byte: number): void {
    if (byte >= 225) throw new FormatError("Compressed data is corrupt");
    this.lc = byte % 9;
    this.lp = Math.floor(byte / 9) % 5;
    this.pb = Math.floor(byte / 45);
  }

  reset(): void {
    for (const table of [
      this.isMatch,
      this.isRep,
      this.isRepG0,
      this.isRepG1,
      this.isRepG2,
      this.isRep0Long,
      this.posSpecial,
      this.align,
      ...this.posSlot,
    ]) {
      table.fill(half);
    }
    this.length.reset();
    this.repLength.reset();
    const size = 0x300 << (this.lc + this.lp);
    if (this.literal.length !== size) this.literal = new Uint16Array(size);
    this.literal.fill(half);
    this.state = this.rep0 = this.rep1 = this.rep2 = this.rep3 = 0;
  }

  literalBase(position: number, previous: number): number {
    const low = position & ((1 << this.lp) - 1);
    return 0x300 * ((low << this.lc) + (previous >> (8 - this.lc)));
  }
}

export class LengthModel {
  readonly choice = new Uint16Array(2);
  readonly low = Array.from({ length: 16 }, () => new Uint16Array(8));
  readonly middle = Array.from({ length: 16 }, () => new Uint16Array(8));
  readonly high = new Uint16Array(256);

  reset(): void {
    for (const table of [this.choice, this.high, ...this.low, ...this.middle]) table.fill(half);
  }
}

/** The state that follows a literal. */
export const afterLiteral = [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 4, 5];
