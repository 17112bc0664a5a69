/**
 * Owns the forks of templates: guests whose memory is what other guests begin with. A template waits for orders
 * in one system call; an order brings the descriptors of one new guest, and allows one fork.
 *
 * A family is a template, its copies and theirs: all inherit one filter that asks (sandbox/template-policy.ts), so
 * their questions come to one place. The steps of a fork: ordered, the template asks for `clone`, the copy asks for
 * `prctl`, which tells its pid, and then says `ready` over its own socket as every guest does.
 *
 * Invariants: in a family one fork is under way at a time; only the main thread of the template that was ordered
 * to may clone, once; only a process that nobody knows yet may arrive, once per clone; a copy that does not
 * arrive in time is found and ended before anything else may be forked; waiters are told in any case.
 * Untrusted: templates and copies, which run their tenant's native code for all this file knows.
 */
import { readFileSync, readdirSync } from "node:fs";
import { Errno } from "../abi/errno.js";
import * as libc from "../sandbox/libc.js";
import { QuestionSource } from "../sandbox/questions.js";
import type { Question, Verdict } from "../sandbox/questions.js";
import { clone, cloneSibling, prctl, tgkill } from "../sandbox/template-policy.js";
import { type GuestDescriptors, guestDescriptors } from "./descriptors.js";
import type { Guest, Zygote } from "./fork.js";
import { statusNumber, statusOf } from "./process-status.js";

export type TemplateWaiter = (guest: Guest | undefined, reason: string) => void;

/** An order that is not carried out by then comes from a template that is stuck, or worse. */
const orderTimeoutMs = 10_000;
/** How long a replacement waits for the program to end that took a copy. */
const refillDelayMs = 10;
const SYS_PIDFD_OPEN = 434;

const arch = process.arch === "x64" ? "x64" : "arm64";
const calls = { clone: clone[arch], prctl: prctl[arch], tgkill: tgkill[arch] };

/** Whether a number names a process, not one of its further threads. */
function isProcess(tid: number): boolean {
  const fd = libc.syscall(SYS_PIDFD_OPEN, tid, 0);
  if (fd < 0) return false;
  libc.close(fd);
  return true;
}

/** Whether `tgid`, as the thread `tid` sees it, is its own process. */
function isOwnProcess(tid: number, tgid: number): boolean {
  const seen = /^NStgid:.*\s(\d+)$/m.exec(statusOf(tid))?.[1];
  return seen !== undefined && Number(seen) === tgid;
}

/** Children of `parent` that `known` does not name. */
function unknownChildren(parent: number, known: ReadonlySet<number>): number[] {
  return childrenOf(parent).filter((pid) => !known.has(pid));
}

function childrenOf(parent: number): number[] {
  try {
    return readFileSync(`/proc/${parent}/task/${parent}/children`, "latin1")
      .split(" ")
      .filter((pid) => pid !== "")
      .map(Number);
  } catch {
    // A Linux without CONFIG_PROC_CHILDREN.
    return readdirSync("/proc")
      .map(Number)
      .filter((pid) => statusNumber(statusOf(pid), "PPid") === parent);
  }
}

/** What is kept for a fork that is under way. */
interface Order {
  readonly template: Template;
  readonly made: GuestDescriptors;
  state: "ordered" | "forking";
  readonly timer: NodeJS.Timeout;
}

class Family {
  readonly zygote: Zygote;
  readonly #questions: QuestionSource;
  readonly #waiting = new Set<Template>();
  #order: Order | undefined;
  #members = 0;
  /** A copy may be about that never arrived: nothing is forked before it is ended. */
  #searching = false;

  constructor(zygote: Zygote, listener: number) {
    this.zygote = zygote;
    this.#questions = new QuestionSource(listener, (asked) => this.#judge(asked));
  }

  /** `guest` is of the family until it is gone. */
  join(guest: Guest): void {
    this.#members++;
    guest.onGone(() => {
      if (--this.#members > 0) return;
      this.#abandon();
      this.#questions.close();
    });
  }

  /** Has `template` make one copy, when it is its turn. */
  wants(template: Template): void {
    this.#waiting.add(template);
    this.#next();
  }

  /** It is gone, or its order failed. */
  fails(template: Template): void {
    this.#waiting.delete(template);
    if (this.#order?.template === template) this.#abandon();
  }

  /** The template waits for orders again: what it was told must have been allowed, and not have failed. */
  isBack(template: Template, errno: number): void {
    const order = this.#order;
    if (errno !== 0) template.fail(`it could not fork: errno ${errno}`);
    else if (order?.template === template && order.state === "ordered")
      template.fail("it did not fork as it was told");
    else this.#next();
  }

  #next(): void {
    if (this.#order !== undefined || this.#searching) return;
    for (const template of this.#waiting) {
      if (!template.isReady) continue;
      this.#waiting.delete(template);
      const made = guestDescriptors();
      if (typeof made === "number") return template.fail(`descriptors: errno ${-made}`);
      const timer = setTimeout(
        () => template.fail(`it did not fork within ${orderTimeoutMs} ms`),
        orderTimeoutMs,
      ).unref();
      this.#order = { template, made, state: "ordered", timer };
      const sent = template.order(made.theirs);
      for (const fd of made.theirs) libc.close(fd);
      if (sent < 0) template.fail(`it takes no orders: errno ${-sent}`);
      return;
    }
  }

  /** The order that is under way comes to nothing. */
  #abandon(): void {
    const order = this.#order;
    if (order === undefined) return;
    this.#order = undefined;
    clearTimeout(order.timer);
    libc.close(order.made.socket);
    libc.close(order.made.stderr);
    if (order.state === "forking") this.#endStray();
    else this.#next();
  }

  /** Finds the copy that was allowed and did not arrive. Those the zygote forks by itself are known after a round trip. */
  #endStray(): void {
    const { zygote } = this;
    this.#searching = true;
    const suspects = unknownChildren(zygote.pid, new Set(zygote.guestPids));
    zygote.afterReports(() => {
      const known = new Set(zygote.guestPids);
      for (const pid of suspects) if (!known.has(pid)) zygote.endStray(pid);
      this.#searching = false;
      this.#next();
    });
  }

  #judge({ tid, nr, args }: Question): Verdict {
    if (nr === calls.tgkill)
      return isOwnProcess(tid, Number(BigInt.asIntN(32, args[0]!))) ? "go on" : Errno.EPERM;
    const order = this.#order;
    if (order === undefined || tid === 0) return Errno.EPERM;
    if (nr === calls.clone) {
      const asOrdered = args[0] === BigInt(cloneSibling) && args[1] === 0n;
      if (order.state !== "ordered" || tid !== order.template.pid || !asOrdered) return Errno.EPERM;
      order.state = "forking";
      return "go on";
    }
    if (nr !== calls.prctl || order.state !== "forking") return Errno.EPERM;
    if (this.zygote.knows(tid) || !isProcess(tid)) return Errno.EPERM;
    this.#arrived(order, tid);
    return "go on";
  }

  #arrived({ template, made, timer }: Order, pid: number): void {
    clearTimeout(timer);
    this.#order = undefined;
    // Out of the question's own turn: see QuestionSource.
    const guest = this.zygote.adopt(pid, made, template.guest.memoryBytes, (ready) =>
      template.made(ready),
    );
    this.join(guest);
    setImmediate(() => this.#next());
  }
}

export class Template {
  readonly guest: Guest;
  readonly #family: Family;
  readonly #lent: (guest: Guest, lent: boolean) => void;
  #give: ((fds: readonly number[]) => number) | undefined;
  #ahead: Guest | undefined;
  readonly #waiters = new Set<TemplateWaiter>();
  #asked = false;
  #over: string | undefined;
  #refill: NodeJS.Timeout | undefined;

  private constructor(family: Family, guest: Guest, lent: (guest: Guest, lent: boolean) => void) {
    this.#family = family;
    this.guest = guest;
    this.#lent = lent;
    guest.becomesTemplate();
  }

  /**
   * A family's first. `lent` is told of a copy that waits for a program, and is the template's to answer for,
   * and again when it waits no more.
   */
  static first(
    guest: Guest,
    listener: number,
    lent: (guest: Guest, lent: boolean) => void,
  ): Template {
    const family = new Family(guest.zygote, listener);
    family.join(guest);
    return new Template(family, guest, lent);
  }

  /** A copy that has become one itself. */
  further(guest: Guest, lent: (guest: Guest, lent: boolean) => void): Template {
    return new Template(this.#family, guest, lent);
  }

  get pid(): number {
    return this.guest.pid;
  }

  /** Whether it waits for an order. */
  get isReady(): boolean {
    return this.#give !== undefined;
  }

  /** It waits for an order, which `give` brings: bytes, or -errno. Answers 0, or -errno when it is over. */
  awaits(errno: number, give: (fds: readonly number[]) => number): number {
    if (this.#over !== undefined) return -Errno.EPERM;
    this.#give = give;
    this.#family.isBack(this, errno);
    this.#fill();
    return 0;
  }

  order(fds: readonly number[]): number {
    const give = this.#give;
    this.#give = undefined;
    return give?.(fds) ?? -Errno.EPERM;
  }

  /** Gives `waiter` a copy, now or later, or `undefined` and the reason. Answers how to wait no longer. */
  take(waiter: TemplateWaiter): () => void {
    const guest = this.#ahead;
    if (guest !== undefined) {
      this.#ahead = undefined;
      this.#hand(guest, waiter);
      // The program that was just handed its copy goes first.
      this.#refill ??= setTimeout(() => this.#fill(), refillDelayMs).unref();
      return () => undefined;
    }
    if (this.#over !== undefined) {
      const reason = this.#over;
      setImmediate(() => waiter(undefined, reason));
      return () => undefined;
    }
    this.#waiters.add(waiter);
    this.#fill();
    return () => this.#waiters.delete(waiter);
  }

  #hand(guest: Guest, waiter: TemplateWaiter): void {
    this.#lent(guest, false);
    guest.onGone(() => this.#fill());
    waiter(guest, "");
  }

  #fill(): void {
    clearTimeout(this.#refill);
    this.#refill = undefined;
    if (this.#asked || this.#over !== undefined || this.#ahead !== undefined) return;
    this.#asked = true;
    this.#family.wants(this);
  }

  /** Its order was carried out, or the copy was lost before it was ready. */
  made(guest: Guest | undefined): void {
    this.#asked = false;
    if (guest === undefined) return this.fail("a copy ended before it was ready");
    if (this.#over !== undefined) return guest.end();
    this.#lent(guest, true);
    guest.attachLoss(() => {
      if (this.#ahead !== guest) return;
      this.#ahead = undefined;
      this.#lent(guest, false);
      this.fail("a copy ended before its program came");
    });
    const [waiter] = this.#waiters;
    if (waiter === undefined) this.#ahead = guest;
    else {
      this.#waiters.delete(waiter);
      this.#hand(guest, waiter);
      this.#fill();
    }
  }

  /** It is no good any more: its process is ended and whoever waits is told. */
  fail(reason: string): void {
    if (this.#over !== undefined) return;
    this.close(reason);
    this.guest.end();
  }

  /** No more copies. Those that run go on. */
  close(reason: string): void {
    if (this.#over !== undefined) return;
    this.#over = reason;
    clearTimeout(this.#refill);
    this.#give = undefined;
    this.#family.fails(this);
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead !== undefined) {
      this.#lent(ahead, false);
      ahead.end();
    }
    for (const waiter of this.#waiters) waiter(undefined, reason);
    this.#waiters.clear();
  }
}
