/**
 * Terminal attributes as Linux has them, shared by kernel, guest and `stty`.
 * Mirrors include/uapi/asm-generic/termbits.h and termbits-common.h (x86-64 and arm64 agree).
 */

/** c_iflag */
export const InputFlag = Object.freeze({
  IGNBRK: 0o1,
  BRKINT: 0o2,
  IGNPAR: 0o4,
  PARMRK: 0o10,
  INPCK: 0o20,
  ISTRIP: 0o40,
  INLCR: 0o100,
  IGNCR: 0o200,
  ICRNL: 0o400,
  IUCLC: 0o1000,
  IXON: 0o2000,
  IXANY: 0o4000,
  IXOFF: 0o10000,
  IMAXBEL: 0o20000,
  IUTF8: 0o40000,
} as const);

/** c_oflag; of the delays only the expansion of tabs means anything. */
export const OutputFlag = Object.freeze({
  OPOST: 0o1,
  OLCUC: 0o2,
  ONLCR: 0o4,
  OCRNL: 0o10,
  ONOCR: 0o20,
  ONLRET: 0o40,
  XTABS: 0o14000,
} as const);

/** c_cflag: kept, and without effect on a terminal that is no line. */
export const ControlFlag = Object.freeze({
  B38400: 0o17,
  CS8: 0o60,
  CREAD: 0o200,
} as const);

/** c_lflag */
export const LocalFlag = Object.freeze({
  ISIG: 0o1,
  ICANON: 0o2,
  ECHO: 0o10,
  ECHOE: 0o20,
  ECHOK: 0o40,
  ECHONL: 0o100,
  NOFLSH: 0o200,
  TOSTOP: 0o400,
  ECHOCTL: 0o1000,
  ECHOPRT: 0o2000,
  ECHOKE: 0o4000,
  IEXTEN: 0o100000,
} as const);

/** Places in c_cc. */
export const ControlCharacter = Object.freeze({
  VINTR: 0,
  VQUIT: 1,
  VERASE: 2,
  VKILL: 3,
  VEOF: 4,
  VTIME: 5,
  VMIN: 6,
  VSWTC: 7,
  VSTART: 8,
  VSTOP: 9,
  VSUSP: 10,
  VEOL: 11,
  VREPRINT: 12,
  VDISCARD: 13,
  VWERASE: 14,
  VLNEXT: 15,
  VEOL2: 16,
} as const);

/** NCCS */
export const controlCharacterCount = 19;

export interface TerminalAttributes {
  readonly iflag: number;
  readonly oflag: number;
  readonly cflag: number;
  readonly lflag: number;
  /** `controlCharacterCount` bytes; 0 disables a character. */
  readonly cc: Uint8Array;
}

/** INIT_C_CC of Linux. */
const initialCharacters = [
  3, 0x1c, 0x7f, 0x15, 4, 0, 1, 0, 0x11, 0x13, 0x1a, 0, 0x12, 0xf, 0x17, 0x16, 0,
];

/** What a new terminal has, and `stty sane` brings back: tty_std_termios, and UTF-8. */
export function saneAttributes(): TerminalAttributes {
  const input = InputFlag;
  const local = LocalFlag;
  const cc = new Uint8Array(controlCharacterCount);
  cc.set(initialCharacters);
  return {
    iflag: input.ICRNL | input.IXON | input.IUTF8,
    oflag: OutputFlag.OPOST | OutputFlag.ONLCR,
    cflag: ControlFlag.B38400 | ControlFlag.CS8 | ControlFlag.CREAD,
    lflag:
      local.ISIG |
      local.ICANON |
      local.ECHO |
      local.ECHOE |
      local.ECHOK |
      local.ECHOCTL |
      local.ECHOKE |
      local.IEXTEN,
    cc,
  };
}

/** What uv_tty_set_mode makes of UV_TTY_MODE_RAW: cfmakeraw(3), but output is still processed unless said otherwise. */
export function rawAttributes(from: TerminalAttributes, processed = true): TerminalAttributes {
  const { BRKINT, ICRNL, INPCK, ISTRIP, IXON } = InputFlag;
  const { ECHO, ICANON, IEXTEN, ISIG } = LocalFlag;
  const cc = Uint8Array.from(from.cc);
  cc[ControlCharacter.VMIN] = 1;
  cc[ControlCharacter.VTIME] = 0;
  return {
    iflag: from.iflag & ~(BRKINT | ICRNL | INPCK | ISTRIP | IXON),
    oflag: processed ? from.oflag | OutputFlag.ONLCR : from.oflag & ~OutputFlag.OPOST,
    cflag: from.cflag | ControlFlag.CS8,
    lflag: from.lflag & ~(ECHO | ICANON | IEXTEN | ISIG),
    cc,
  };
}

/** Major numbers: a pseudo-terminal's slave, and /dev/ptmx (5, 2). */
export const ptySlaveMajor = 136;
export const ptmxDevice = (5 << 8) | 2;
