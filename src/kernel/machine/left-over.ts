/**
 * Owns that memory goes back to Linux once machines have left much behind. Content of files lies outside of V8's heap: V8 begins
 * to collect for its sake when 64 MiB more of it are there, and the C library keeps what is free between what is not.
 *
 * Invariants: nothing is done before so much has been left, one thing at a time, and so often at most; V8 marks in steps and
 * beside the kernel's thread, as it does by itself, however much the other machines hold.
 */
import { getHeapStatistics } from "node:v8";
import * as libc from "../../sandbox/libc.js";

/** Less is what any machine may leave until the engine collects by itself. */
const leastBytes = 8 * 1024 * 1024;
/** So much external memory at once has V8 begin (v8::internal::kExternalAllocationSoftLimit). It is never touched, and so none of Linux's. */
const reminderBytes = 65 * 1024 * 1024;
/** How long what is under way with a machine takes to end, and a collection in steps where nobody else wants the processors. */
const restMs = 500;
const collectMs = 2000;
/**
 * V8 knows what it has given back, and is reminded until it has: a collection that was under way when the machine ended keeps what
 * it had marked by then, and beside busy neighbours one takes longer. Each gets twice the time of the last, all of them a minute.
 */
const mostReminders = 5;

let bytes = 0;
/** What lay outside of V8's heap when they were left. */
let outsideBytes = 0;
let timer: NodeJS.Timeout | undefined;

const outside = (): number => getHeapStatistics().external_memory;

function remind(): void {
  try {
    void new ArrayBuffer(reminderBytes);
  } catch {
    // Without the room for it V8 collects all the same.
  }
}

function collect(): void {
  // The other half is for what others make meanwhile.
  const enough = outsideBytes - bytes / 2;
  bytes = 0;
  outsideBytes = 0;
  const round = (reminders: number): void => {
    remind();
    timer = setTimeout(
      () => {
        libc.trimHeap();
        if (reminders < mostReminders && outside() > enough) return round(reminders + 1);
        timer = undefined;
        look();
      },
      collectMs * 2 ** (reminders - 1),
    ).unref();
  };
  round(1);
}

function look(): void {
  if (bytes >= leastBytes) timer ??= setTimeout(collect, restMs).unref();
}

/** So many bytes of content have just lost their machine. */
export function leftOver(count: number): void {
  bytes += count;
  outsideBytes = Math.max(outsideBytes, outside());
  look();
}
