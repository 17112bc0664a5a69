/** Owns the numbers of the bzip2 format that both ends know. */
export const blockMagic = 0x314159265359;
export const endMagic = 0x177245385090;
export const maxCodeBits = 20;
export const groupSize = 50;
export const runA = 0;
export const runB = 1;

export function isBzip2(data: Uint8Array): boolean {
  return data[0] === 0x42 && data[1] === 0x5a && data[2] === 0x68;
}
