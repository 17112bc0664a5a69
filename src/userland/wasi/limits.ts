/**
 * Owns the bounds on what a module chooses. They keep this process well-behaved;
 * what bounds the damage is the kernel's, and the memory limit of the process.
 */
export const wasiLimits = Object.freeze({
  /** A module file; behaviour reference §8. */
  moduleBytes: 256 * 1024 * 1024,
  /** Buffers of one read or write; IOV_MAX of Linux. */
  buffers: 1024,
  /** Bytes moved by one read or write with several buffers; more is a short transfer. */
  transferBytes: 1024 * 1024,
  /** Open descriptors, preopened ones included. */
  descriptors: 1024,
  /** A path; PATH_MAX of Linux. */
  pathBytes: 4096,
  /** Symbolic links followed in one path; as Linux does. */
  links: 40,
  /** Subscriptions of one poll_oneoff. */
  subscriptions: 4096,
  /** Random bytes produced at once. */
  randomBytes: 64 * 1024,
  /** Serialised arguments, environment or file actions of a child; execve(2). */
  argumentBytes: 1024 * 1024,
});
