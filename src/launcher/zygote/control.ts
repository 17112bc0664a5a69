/** The messages between kernel and zygote; see main.ts for the format. Both sides are trusted. */
export const ControlKind = Object.freeze({
  /** zygote → kernel: warmed; a = pid. */
  ready: 1,
  /** kernel → zygote, with two descriptors (socket, stderr): fork; a = token, b = KiB of memory or 0. */
  fork: 2,
  /** zygote → kernel: a = token, b = pid or -errno. */
  forked: 3,
  /** kernel → zygote: SIGKILL and reap; a = pid. A process that ended by itself keeps its own status. */
  end: 4,
  /** zygote → kernel: a = pid, b = wait status. */
  reaped: 5,
  /** kernel → zygote: TypeScript is in use, guests to come should find its compiler loaded. */
  typeScript: 6,
} as const);

export const controlMessageBytes = 12;
