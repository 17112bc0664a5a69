/**
 * Owns the bill: what the machine has used since it was made, and warnings of its limits.
 * Untrusted: the numbers are the kernel's.
 */
import type { Bill } from "../messages.js";
import { byId, element } from "./elements.js";
import { sizeText } from "./text.js";

const count = (value: number): string => value.toLocaleString("en");
const duration = (value: number): string => `${Math.round(value).toLocaleString("en")} ms`;

/** Each line by its name in `rt.usage()`: what it is called here, and how it is written. */
const lines: Readonly<Record<string, readonly [label: string, write: (value: number) => string]>> =
  {
    cpuMs: ["CPU time", duration],
    kernelCpuMs: ["CPU time of the kernel for it", duration],
    wallMs: ["Since it was made", duration],
    peakMemoryBytes: ["Most memory of one process", sizeText],
    processes: ["Processes", count],
    threads: ["Threads", count],
    systemCalls: ["Requests to the kernel", count],
    bytesRead: ["Read", sizeText],
    bytesWritten: ["Written", sizeText],
    bytesSent: ["Sent", sizeText],
    bytesReceived: ["Received", sizeText],
    toolCalls: ["Calls of tools", count],
    toolMs: ["Time in tools", duration],
  };

export class BillTable {
  readonly #rows = byId("bill-rows", HTMLElement);
  readonly #warnings = byId("warnings", HTMLElement);

  clear(): void {
    this.show({});
    this.#warnings.replaceChildren();
  }

  show(bill: Bill): void {
    this.#rows.replaceChildren(
      ...Object.entries(lines).map(([name, [label, write]]) => {
        const head = element("th", {}, label);
        head.scope = "row";
        return element("tr", {}, head, element("td", {}, write(bill[name] ?? 0)));
      }),
    );
  }

  warn(limit: string, observed: number, capacity: number): void {
    const write = limit.endsWith("Bytes") ? sizeText : count;
    const text = `${limit}: ${write(observed)} of ${write(capacity)}`;
    this.#warnings.append(element("li", {}, text));
    while (this.#warnings.childElementCount > 20) this.#warnings.firstElementChild!.remove();
  }
}
