/** Owns what an awk variable is: a value or an array, whichever it is first used as. */
import type { AwkArray, Value } from "./values.js";

export class Cell {
  array: AwkArray | undefined;
  constructor(public value: Value = undefined) {}
}

/** An unset variable handed to a function: if that makes an array of it, it is the caller's. */
export class UntypedCell extends Cell {
  constructor(private readonly origin: Cell) {
    super();
    Object.defineProperty(this, "array", {
      get: () => this.origin.array,
      set: (array: AwkArray | undefined) => {
        this.origin.array = array;
      },
    });
  }
}
