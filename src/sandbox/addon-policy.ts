/**
 * What differs in the filter of a guest that may load native addons, as reviewed data. Where the dynamic linker opens,
 * looks at and maps a file, the guest gets a signal in the place of an errno, and its own handler answers
 * (image-loader.ts). Linux makes none of these calls: such a guest opens and maps no file either. The one thing that
 * it may do beyond stage 2 is to read at a position what it could read anyway.
 *
 * The signal takes precedence over the errno with which the zygote's filter refuses the same calls.
 */
import { STAGE2, type Policy, type Rule } from "./policy.js";
import { TEMPLATE } from "./template-policy.js";

/** include/uapi/linux/fcntl.h, as the 32 bits that the kernel looks at. */
const AT_FDCWD = 0xffff_ff9c;
const AT_EMPTY_PATH = 0x1000;
/** O_RDONLY | O_CLOEXEC: what elf/dl-load.c of glibc opens with. */
const OPENED_BY_LINKER = 0x8_0000;
const MAP_ANONYMOUS = 0x20;

const GRND_INSECURE = 4;
const EINVAL = 22;

const linker: readonly Rule[] = [
  {
    name: "openat",
    nr: { x64: 257 },
    args: [
      { arg: 0, width: "int", test: "oneOf", values: [AT_FDCWD] },
      { arg: 2, width: "int", test: "oneOf", values: [OPENED_BY_LINKER] },
    ],
    action: "signal",
    why: "the linker opens what the kernel process gave the guest, or there is no such file",
  },
  {
    name: "fstat",
    nr: { x64: 5 },
    action: "signal",
    why: "the linker tells files apart by it; of any other descriptor EBADF",
  },
  {
    name: "newfstatat",
    nr: { x64: 262 },
    args: [{ arg: 3, width: "int", test: "contains", mask: AT_EMPTY_PATH }],
    action: "signal",
    why: "fstat as some glibcs make it",
  },
  {
    name: "pread64",
    nr: { x64: 17 },
    action: "allow",
    why: "the linker reads headers, and the guest the segments; nothing but a sealed copy of a file of the machine's has positions",
  },
  {
    name: "mmap",
    nr: { x64: 9 },
    args: [{ arg: 3, width: "long", test: "excludes", mask: MAP_ANONYMOUS }],
    action: "signal",
    why: "the linker maps a segment and gets memory of the guest's own with a copy, which RLIMIT_DATA counts while it can be written",
  },
];

/** What libraries ask for that the engine does not; the answer is one that they know. */
const libraries: readonly Rule[] = [
  {
    name: "getrandom",
    nr: { x64: 318 },
    args: [{ arg: 2, width: "int", test: "contains", mask: GRND_INSECURE }],
    action: { errno: EINVAL },
    why: "Rust's hash tables; an older kernel says this, and they ask without the flag",
  },
];

/** Rules that are checked often stay first: a call is looked up in the order in which its rules stand. */
function withLinker(policy: Policy): Policy {
  const refused = policy.rules.findIndex(({ name }) => name === "open");
  const rules = [
    ...policy.rules.slice(0, refused),
    ...linker,
    ...libraries,
    ...policy.rules.slice(refused),
  ];
  // What the signal takes the place of.
  const reached = rules.filter((rule, at) => {
    const earlier = rules.slice(0, at).filter(({ name }) => name === rule.name);
    return !earlier.some(({ args }) => args === undefined);
  });
  return { ...policy, rules: reached };
}

/** In the place of stage 2. */
export const ADDONS: Policy = withLinker(STAGE2);

/** The same of a guest that may become a template. */
export const TEMPLATE_ADDONS: Policy = withLinker(TEMPLATE);
