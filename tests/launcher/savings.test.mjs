// What guests are spared of faults and page tables, and that machines which refuse it work as well.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { test } from "node:test";
import { promisify } from "node:util";
import { sharedConnection } from "../../dist/sdk/kernel-group.js";
import { machine } from "../support/machines.mjs";
import { isIdle, tree, until } from "../support/processes.mjs";

async function savings() {
  const connection = await sharedConnection();
  return JSON.parse((await connection.call("stats", {})).json).savings;
}

/** Of a guest that waits, by /proc: KiB. Those of the zygote as it was before it was warm are just ending. */
async function pageTablesKiB() {
  await until(isIdle);
  const status = readFileSync(`/proc/${tree().guests[0]}/status`, "utf8");
  return Number(/^VmPTE:\s+(\d+) kB/m.exec(status)[1]);
}

/** The zygote measures once it is warm and nobody runs anything. */
async function warm() {
  for (;;) {
    const saved = await savings();
    if (saved.pagesAhead > 0) return saved;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const readable = (() => {
  try {
    closeSync(openSync("/proc/self/pagemap", "r"));
    return true;
  } catch {
    return false;
  }
})();

/** MADV_COLLAPSE is of Linux 6.1. */
const collapses = (() => {
  const [major, minor] = release().split(".").map(Number);
  return major > 6 || (major === 6 && minor >= 1);
})();

test(
  "a warm zygote knows which pages its guests write, and measures anew when it has changed",
  { skip: readable ? false : "/proc/self/pagemap cannot be read here" },
  async () => {
    const rt = await machine({});
    const first = await warm();
    assert.equal(first.contiguousHeap, true);
    // Both heaps have some megabytes; only where this Linux gave huge pages for the text it is asked for these.
    if (first.hugeTextPages > 0 && collapses) assert.ok(first.hugeHeapPages >= 4);
    else if (first.hugeTextPages === 0) assert.equal(first.hugeHeapPages, 0);
    // A guest writes some hundred pages; a list of thousands would be of the zygote's own.
    assert.ok(first.pagesAhead > 50 && first.pagesAhead < 1500, `${first.pagesAhead} pages`);
    const { value } = await rt.run("__return(1 + 1)");
    assert.equal(value, 2);
  },
);

test(
  "a guest's page tables are few: the first chunks of its heap lie together as the later ones do",
  { skip: process.arch === "x64" ? false : "the engine starts as it is" },
  async () => {
    await machine({});
    await warm();
    // Forty chunks at addresses of their own, three tables each, would make it more than 700.
    const sizeKiB = await pageTablesKiB();
    assert.ok(sizeKiB > 100 && sizeKiB <= 400, `${sizeKiB} KiB`);
  },
);

test("programs that were on their way when the zygote measured are answered right", async () => {
  const rt = await machine({});
  const rounds = Array.from({ length: 60 }, async (_, i) => {
    await new Promise((resolve) => setTimeout(resolve, i * 40));
    return (await rt.run(`__return(${i})`)).value;
  });
  assert.deepEqual(
    await Promise.all(rounds),
    rounds.map((_, i) => i),
  );
});

test("a host with a limit of address space runs programs at the old price", async () => {
  const program = `
    import { readFileSync } from "node:fs";
    import { NodeRuntime } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
    import { tree } from ${JSON.stringify(new URL("../support/processes.mjs", import.meta.url).href)};
    const rt = await NodeRuntime.create();
    const { value } = await rt.run("__return(2 + 3)");
    const status = readFileSync("/proc/" + tree().zygote + "/status", "utf8");
    console.log(value, /^VmPeak:\\s+(\\d+) kB/m.exec(status)[1]);
    await rt.dispose();`;
  // 100 GiB: the engine's own reservations fit, 64 TiB do not.
  const { stdout } = await promisify(execFile)(
    "sh",
    ["-c", 'ulimit -v 104857600; exec "$0" --input-type=module -e "$1"', process.execPath, program],
    { timeout: 120_000 },
  );
  const [value, peakKiB] = stdout.split(" ").map(Number);
  assert.equal(value, 5);
  // What is set aside for the heap's sake would take what programs need later.
  assert.ok(peakKiB < 20 * 1024 * 1024, `${peakKiB} KiB`);
});

test(
  "a guest that waits has written what it copied ahead, and little else: it has compiled nothing, and faulted no text in",
  { skip: readable ? false : "/proc/self/pagemap cannot be read here" },
  async () => {
    const rt = await machine({});
    const { hugeTextPages, inheritedTexts, pagesAhead } = await warm();
    if (hugeTextPages > 0) assert.ok(inheritedTexts >= 2, "of the engine and of libc");
    // Those that were forked before it was warm go first.
    for (let run = 0; run < 12; run++) await rt.run("1");
    await until(isIdle);
    const faults = tree().guests.map((pid) =>
      Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ")[7]),
    );
    const beside = Math.min(...faults) - pagesAhead;
    // One batch of compiled functions is 35 of them, the text of the engine and of libc 50.
    if (hugeTextPages > 0)
      assert.ok(beside < 55, `${faults} faults with ${pagesAhead} pages ahead`);
  },
);

/** Page faults of the zygote's reaped children by now; proc_pid_stat(5). */
function guestFaults(zygotePid) {
  return Number(readFileSync(`/proc/${zygotePid}/stat`, "utf8").split(") ")[1].split(" ")[8]);
}

/** Runs so many programs on a warm zygote, and counts what their guests fault. */
async function faultMeter() {
  const rt = await machine({});
  await warm();
  const connection = await sharedConnection();
  const { zygotePid } = JSON.parse((await connection.call("stats", {})).json);
  return async (runs) => {
    const before = guestFaults(zygotePid);
    for (let run = 0; run < runs; run++) await rt.run("1");
    return guestFaults(zygotePid) - before;
  };
}

test(
  "what V8 planned in the zygote is not due in every guest of an old one",
  { skip: readable ? false : "/proc/self/pagemap cannot be read here", timeout: 200_000 },
  async () => {
    const faultsOf = await faultMeter();
    const young = await faultsOf(20);
    // More than V8 takes after a collection until it begins the next in an idle process: that is what this is about.
    await new Promise((resolve) => setTimeout(resolve, 26_000));
    await faultsOf(20);
    const old = await faultsOf(20);
    // A guest that marks the heap has four times as many.
    assert.ok(old < 2 * young, `${young} faults of twenty young guests, ${old} of old ones`);
  },
);

test(
  "guests cost the same however often the zygote has forked",
  { skip: readable ? false : "/proc/self/pagemap cannot be read here", timeout: 200_000 },
  async () => {
    const faultsOf = await faultMeter();
    const batches = [];
    for (let batch = 0; batch < 30; batch++) batches.push(await faultsOf(15));
    // Those that optimise what the zygote was near to optimising take half as many again.
    const middle = batches.toSorted((a, b) => a - b)[15];
    assert.ok(Math.max(...batches) < 1.3 * middle, `faults of fifteen guests each: ${batches}`);
  },
);
