/** Owns the fault of compressed data, whatever the format. */
export class FormatError extends Error {}
