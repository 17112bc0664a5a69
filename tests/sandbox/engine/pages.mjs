// What a child writes is found, and copied in one go by the next child. Run as a zygote is.
import * as libc from "../../../dist/sandbox/libc.js";
import { AddressSpace } from "../../../dist/sandbox/pages/address-space.js";
import { hugeBytes, MADV_COLLAPSE, nMadvise } from "../../../dist/sandbox/pages/calls.js";
import { onHugePages } from "../../../dist/sandbox/pages/huge-pages.js";

libc.setParentDeathSignal(libc.SIGKILL);
const pageBytes = 4096;
const written = 300;
const space = AddressSpace.open();
const memory = Buffer.alloc(4 * written * pageBytes, 1);

const faults = () => process.resourceUsage().minorPageFault;
/** Every other page, so that no range is longer than one. */
const write = () => {
  for (let i = 0; i < written; i++) memory[2 * i * pageBytes] = 2;
};
/** What `life` answers in a child that waits until the parent is done with it. */
function child(life, whileItLives) {
  const [read, write] = libc.pipe2(0);
  const pid = libc.fork();
  if (pid === 0) {
    const said = Buffer.alloc(4);
    said.writeInt32LE(life());
    libc.write(write, said, 0, 4);
    libc.poll([], 20_000);
    libc._exit(0);
  }
  const answer = Buffer.alloc(4);
  const result = whileItLives(() => libc.pollReadable(read, 20_000) > 0);
  libc.read(read, answer, 0, 4);
  libc.kill(pid, libc.SIGKILL);
  libc.waitpid(pid, 0);
  libc.close(read);
  libc.close(write);
  return { answer: answer.readInt32LE(0), result };
}
const life = (list) => () => {
  list?.populate();
  const before = faults();
  write();
  return faults() - before;
};

const alone = child(life(), (done) => space.pageMap.ownPages(space.mappings(), done));
const list = alone.result;
const ahead = child(life(list), (done) => done());
let collapsed = -1;
/** As khugepaged does it when it comes by. */
const moved = child(life(), (done) =>
  space.pageMap.ownPages(space.mappings(), () => {
    const ended = done();
    const whole = (libc.addressOf(memory) + hugeBytes - 1n) & -hugeBytes;
    collapsed = nMadvise(whole, hugeBytes, MADV_COLLAPSE);
    return ended;
  }),
);
const inherited = memory[0];
write();
const copied = onHugePages(space, memory);
console.log(
  JSON.stringify({
    written,
    found: list?.pages ?? -1,
    alone: alone.answer,
    undisturbed: list?.leftOut,
    collapsed,
    disturbed: moved.result?.leftOut,
    foundThen: moved.result?.pages ?? -1,
    ahead: ahead.answer,
    inherited,
    copied: copied.equals(memory),
  }),
);
libc._exit(0);
