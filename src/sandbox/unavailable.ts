/** The one error for a layer of isolation that this machine does not give. Nothing runs without it. */
export const isolationUnavailableCode = "ERR_SECURE_EXEC_ISOLATION_UNAVAILABLE";

/** `layer` is what `secure-exec doctor` calls it, where it lists it. */
export class IsolationUnavailable extends Error {
  constructor(layer: string, why: string) {
    super(`${layer}: ${why}`);
  }

  /** What a process of ours says last, for whoever started it. */
  get lastWords(): string {
    return `${isolationUnavailableCode}: ${this.message}`;
  }

  /** The error in what a process said, or undefined. */
  static from(stderr: string): IsolationUnavailable | undefined {
    const said = new RegExp(`^${isolationUnavailableCode}: ([^:\n]*): (.*)$`, "m").exec(stderr);
    return said === null ? undefined : new IsolationUnavailable(said[1]!, said[2]!);
  }
}
