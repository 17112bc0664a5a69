/** Owns the error of what a machine does not have, where a plain Node has it. */

/** An error that names what the program asked for and why it is not to be had. */
export function unavailable(feature: string, why: string): Error {
  return Object.assign(new Error(`${feature} is not available in this virtual machine: ${why}`), {
    code: "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM",
  });
}
