/** Owns the bounds of bc's language that `limits` prints, as they hold here. */
export const mostBase = 1_000_000_000;
/** Digits behind the point. */
export const mostScale = 100_000;
/** The last subscript of an array: GNU's. */
export const mostSubscript = 16_777_215;
/** V8's String::kMaxLength on 64 bits: a string is part of a text that is one itself. */
const mostCharacters = 536_870_888;

export const limitsText = `BC_BASE_MAX     = ${mostBase}
BC_DIM_MAX      = ${mostSubscript}
BC_SCALE_MAX    = ${mostScale}
BC_STRING_MAX   = ${mostCharacters}
`;
