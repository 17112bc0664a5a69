/** Owns what the shell says about itself: the bash whose language it speaks, and the machine. */
export const versionParts = ["5", "2", "37", "1", "release"] as const;
export const versionText = "5.2.37(1)-release";
export const versionBanner = (machine: string): string =>
  `GNU bash, version ${versionText} (${machine}-pc-linux-gnu)\n` +
  "A shell of secure-exec that speaks bash's language; no code of GNU bash is in it.\n";
