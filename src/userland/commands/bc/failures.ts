/** Owns how a program of bc ends a line, or itself, before its end. */
export class SyntaxFailure extends Error {}
export class RuntimeFailure extends Error {}
export class Halt extends Error {}
