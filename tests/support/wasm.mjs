// Encodes small WebAssembly modules, so that tests can say exactly what a module does.

const types = { i32: 0x7f, i64: 0x7e };
const ascii = (text) => [...Buffer.from(text)];

export function unsigned(value) {
  const bytes = [];
  let rest = BigInt(value);
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return bytes;
}

function signed(value) {
  const bytes = [];
  for (let rest = BigInt(value); ;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    const last = (rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0);
    bytes.push(last ? low : low | 0x80);
    if (last) return bytes;
  }
}

const vector = (items) => [...unsigned(items.length), ...items.flat()];
const name = (text) => vector(ascii(text));
const section = (id, content) => [id, ...unsigned(content.length), ...content];

/** Instructions. */
export const i32 = (value) => [0x41, ...signed(BigInt.asIntN(32, BigInt(value)))];
export const i64 = (value) => [0x42, ...signed(BigInt.asIntN(64, BigInt(value)))];
export const call = (index) => [0x10, ...unsigned(index)];
export const load = (address) => [...i32(address), 0x28, 2, 0];
export const load8 = (address) => [...i32(address), 0x2d, 0, 0];
export const store = (address, value) => [...i32(address), ...value, 0x36, 2, 0];
export const drop = [0x1a];
export const unreachable = [0x00];
export const forever = [0x03, 0x40, 0x0c, 0x00, 0x0b];

/**
 * A module with one function `_start`. `imports` lists [module, name, parameters, results];
 * a body calls them by index.
 */
export function wasm({
  imports = [],
  body = [],
  memory = [1],
  data = [],
  exports = ["_start", "memory"],
  table,
  memoryImport,
  start = false,
}) {
  const signatures = [
    ...imports.map(([, , parameters, results]) => [parameters, results]),
    [[], []],
  ];
  /** @param {number[]} bounds one or two */
  const limits = ([min, max]) =>
    max === undefined ? [0, ...unsigned(min)] : [1, ...unsigned(min), ...unsigned(max)];
  const ownIndex = imports.length;
  const code = [0, ...body.flat(), 0x0b];
  const sections = [
    section(
      1,
      vector(
        signatures.map(([parameters, results]) => [
          0x60,
          ...vector(parameters.map((type) => types[type])),
          ...vector(results.map((type) => types[type])),
        ]),
      ),
    ),
    section(
      2,
      vector([
        ...imports.map(([from, what], index) => [
          ...name(from),
          ...name(what),
          0,
          ...unsigned(index),
        ]),
        ...(memoryImport ? [[...name("env"), ...name("memory"), 2, 0, 1]] : []),
      ]),
    ),
    section(3, vector([unsigned(ownIndex)])),
    ...(table ? [section(4, vector([[0x70, ...limits(table)]]))] : []),
    ...(memory ? [section(5, vector([limits(memory)]))] : []),
    section(
      7,
      vector(
        exports.map((what) =>
          what === "memory" ? [...name(what), 2, 0] : [...name(what), 0, ...unsigned(ownIndex)],
        ),
      ),
    ),
    ...(start ? [section(8, unsigned(ownIndex))] : []),
    section(10, vector([[...unsigned(code.length), ...code]])),
    ...(data.length > 0
      ? [
          section(
            11,
            vector(
              data.map(([at, bytes]) => [
                0,
                ...i32(at),
                0x0b,
                ...vector([...Buffer.from(bytes)].map((byte) => [byte])),
              ]),
            ),
          ),
        ]
      : []),
  ];
  return Uint8Array.from([0, ...ascii("asm"), 1, 0, 0, 0, ...sections.flat()]);
}
