/**
 * Owns that memory goes back to Linux once machines have left much behind. Content of files lies outside of V8's heap: V8 begins
 * to collect for its sake when 64 MiB more of it are there, and the C library keeps what is free between what is not.
 *
 * Invariants: nothing is done before so much has been left, and one thing at a time; V8 marks in steps and beside the kernel's
 * thread, as it does by itself, however much the other machines hold.
 */
import * as libc from "../../sandbox/libc.js";

/** Less is what any machine may leave until the engine collects by itself. */
const leastBytes = 8 * 1024 * 1024;
/** So much external memory at once has V8 begin (v8::internal::kExternalAllocationSoftLimit). It is never touched, and so none of Linux's. */
const reminderBytes = 65 * 1024 * 1024;
/** How long what is under way with a machine takes to end, and a collection in steps. */
const restMs = 500;
const collectMs = 2000;

let bytes = 0;
let timer: NodeJS.Timeout | undefined;

function collect(): void {
  bytes = 0;
  try {
    void new ArrayBuffer(reminderBytes);
  } catch {
    // Without the room for it V8 collects all the same.
  }
  timer = setTimeout(trim, collectMs).unref();
}

function trim(): void {
  libc.trimHeap();
  timer = undefined;
  look();
}

function look(): void {
  if (bytes >= leastBytes) timer ??= setTimeout(collect, restMs).unref();
}

/** So many bytes of content have just lost their machine. */
export function leftOver(count: number): void {
  bytes += count;
  look();
}
