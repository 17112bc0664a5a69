/** Owns what awk's binary operators do. */
import { CommandFailure } from "../../command.js";

/** Of the order that two values have. */
export const comparisons: Record<string, (order: number) => boolean> = {
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  "==": (order) => order === 0,
  "!=": (order) => order !== 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0,
};

export function arithmetic(operator: string): (a: number, b: number) => number {
  switch (operator) {
    case "+":
      return (a, b) => a + b;
    case "-":
      return (a, b) => a - b;
    case "*":
      return (a, b) => a * b;
    case "/":
      return (a, b) => {
        if (b === 0) throw new CommandFailure("division by zero", 2);
        return a / b;
      };
    case "%":
      return (a, b) => {
        if (b === 0) throw new CommandFailure("division by zero in %", 2);
        return a % b;
      };
    default:
      return (a, b) => a ** b;
  }
}
