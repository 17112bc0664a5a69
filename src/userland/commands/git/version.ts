/** Owns which git this one takes itself for. */
export const gitVersion = "2.39.0";
