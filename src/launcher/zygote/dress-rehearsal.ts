/**
 * Owns the dress rehearsal: a child of the zygote lives a guest's whole life, lock-down
 * included, so that the zygote learns which pages every guest will make its own. Later
 * guests copy those in one go, before anybody waits for them.
 *
 * Invariants: it runs while no guest lives, or pages that a guest still shares would be
 * missed; its child runs only the text of the rehearsal, is ended and reaped before the
 * next request, and nothing of it stays in the zygote.
 */
import type { Channel } from "../../guest/channel.js";
import * as libc from "../../sandbox/libc.js";
import type { AddressSpace } from "../../sandbox/pages/address-space.js";
import type { PageList } from "../../sandbox/pages/page-map.js";
import { startFrame } from "./rehearsal.js";

/** A life takes some milliseconds; one that takes this long tells nothing. */
const longestLifeMs = 2000;
/** What the child says on its stderr, a socket here, when it has only to leave. */
const done = 0x06;

/** The steps of a new guest, in the child, given its socket, stderr and null device: answers its channel. */
export type Become = (fds: readonly number[]) => Channel;

/** In the zygote: the pages, or undefined when they could not be told. In the child: "guest". */
export function rehearseInDress(
  space: AddressSpace,
  become: Become,
): PageList | undefined | "guest" {
  const socket = libc.socketpair(libc.SOCK_STREAM, libc.SOCK_CLOEXEC);
  if (typeof socket === "number") return undefined;
  const stderr = libc.socketpair(libc.SOCK_STREAM, libc.SOCK_CLOEXEC);
  if (typeof stderr === "number") {
    for (const fd of socket) libc.close(fd);
    return undefined;
  }
  const start = startFrame();
  libc.write(socket[1], start, 0, start.length);
  const said = Buffer.alloc(1);
  let pid = -1;
  const pages = space.pageMap.ownPages(space.mappings(), () => {
    pid = libc.fork();
    return (
      pid > 0 &&
      libc.pollReadable(stderr[1], longestLifeMs) > 0 &&
      libc.read(stderr[1], said, 0, 1) === 1 &&
      said[0] === done
    );
  });
  if (pid === 0) {
    stopBeforeTheEnd(become([socket[0], stderr[0], stderr[0]]));
    return "guest";
  }
  if (pid > 0) {
    libc.kill(pid, libc.SIGKILL);
    libc.waitpid(pid, 0);
  }
  for (const fd of [...socket, ...stderr]) libc.close(fd);
  return pages;
}

/** In the child: once it has said how it ends it waits, with all its pages, to be ended. */
function stopBeforeTheEnd(channel: Channel): void {
  const event = channel.event.bind(channel);
  channel.event = (name, args) => {
    event(name, args);
    if (name !== "exit") return;
    const buffer = Buffer.from([done]);
    libc.write(2, buffer, 0, 1);
    libc.read(2, buffer, 0, 1);
  };
}
