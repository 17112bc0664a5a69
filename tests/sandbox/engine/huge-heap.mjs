// What is mapped without holes lies together, and memory on huge pages is as it was, in a child as well. Run as a zygote is.
import * as libc from "../../../dist/sandbox/libc.js";
import { AddressSpace } from "../../../dist/sandbox/pages/address-space.js";
import {
  MAP_PRIVATE_ANONYMOUS,
  nMmap,
  nMunmap,
  PROT_READ_WRITE,
} from "../../../dist/sandbox/pages/calls.js";
import { collapseHeaps, withoutHoles } from "../../../dist/sandbox/pages/huge-heap.js";

libc.setParentDeathSignal(libc.SIGKILL);
const space = AddressSpace.open();
const chunkBytes = 256n * 1024n;
const map = (bytes) => nMmap(0n, bytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0n);

// A hole that the next chunk would come into.
const around = map(3n * chunkBytes);
nMunmap(around + chunkBytes, chunkBytes);
const mapped = () => space.mappings().length;
const before = mapped();
const chunks = [];
withoutHoles(space, () => {
  for (let i = 0; i < 8; i++) chunks.push(map(chunkBytes));
});
const filled = chunks.filter((at) => at === around + chunkBytes).length;
const together = chunks.slice(1).every((at, i) => at === chunks[i] - chunkBytes);
// Holes are holes again: nothing is mapped but the chunks, which are one mapping or lie beside another.
const left = mapped() - before;

const memory = Buffer.alloc(16 * 1024 * 1024);
for (let i = 0; i < memory.length; i += 4) memory.writeUInt32LE(i, i);
const made = collapseHeaps(space);
const isWhole = (changed) => {
  for (let i = 0; i < memory.length; i += 4)
    if (memory.readUInt32LE(i) !== (i === changed ? 7 : i)) return false;
  return true;
};
const whole = isWhole(-1);
const changed = 4096 * 1000;
const pid = libc.fork();
if (pid === 0) {
  memory.writeUInt32LE(7, changed);
  libc._exit(isWhole(changed) ? 0 : 1);
}
memory.writeUInt32LE(7, changed * 2);
const { status } = libc.waitpid(pid, 0);
console.log(
  JSON.stringify({ filled, together, left, made, whole, status, after: isWhole(changed * 2) }),
);
libc._exit(0);
