/**
 * Flows: the quick way for the bytes of one descriptor. Both directions travel as
 * events within windows, so that neither side waits for a reply per read or write.
 *
 * `flow` is a number that the guest chose and never uses twice; it outlives the
 * descriptor's number, so data that crosses a close cannot reach the wrong handle.
 * Calls are numbers 200–204; events 20–29 in each direction.
 */

/** Bytes that may be under way, per flow and direction. */
export const flowWindowBytes = 64 * 1024;

export const flowCalls = {
  /** shutdown(2) with SHUT_WR, behind everything written before. */
  flowShutdown: { nr: 200, args: { flow: "u32" }, result: {} },
} as const;

export const guestFlowEvents = {
  /** Binds `flow` to an open descriptor. */
  flowOpen: { nr: 20, args: { flow: "u32", fd: "i32" } },
  /** The kernel may send `bytes` more of what can be read. */
  flowRead: { nr: 21, args: { flow: "u32", bytes: "u32" } },
  /** Spends the write window. */
  flowWrite: { nr: 22, args: { flow: "u32", data: "bytes" } },
  /**
   * Closes the descriptor; what was written still goes out. `reset` drops it, and
   * the peer sees a reset connection, as it does when `unread` bytes are thrown away.
   */
  flowClose: { nr: 23, args: { flow: "u32", reset: "bool", unread: "bool" } },
  /** Like `flowWrite`, with a copy of descriptor `fd` that travels with the first byte. */
  flowPass: { nr: 24, args: { flow: "u32", fd: "i32", data: "bytes" } },
  /** Takes back what `flowRead` granted: what can be read is for whoever reads next. */
  flowHold: { nr: 25, args: { flow: "u32" } },
} as const;

export const kernelFlowEvents = {
  flowData: { nr: 20, args: { flow: "u32", data: "bytes" } },
  /** Nothing more can be read: end of file (0) or a positive errno. */
  flowEnd: { nr: 21, args: { flow: "u32", errno: "i32" } },
  /** Gives back `bytes` of the write window. */
  flowWritten: { nr: 22, args: { flow: "u32", bytes: "u32" } },
  /** A write failed, with a positive errno; so will all that follow. */
  flowBroken: { nr: 23, args: { flow: "u32", errno: "i32" } },
  /** A descriptor that came with the bytes of the next `flowData`. */
  flowPassed: { nr: 24, args: { flow: "u32", fd: "i32", kind: "string" } },
} as const;
