/**
 * Owns the search for what runs of one template leave behind in the kernel process:
 * `node scripts/template-leaks.mjs [RUNS]`, 10,000 by default, which takes some minutes. Tests do it with few.
 */
import { pathToFileURL } from "node:url";
import { NodeRuntime, SidecarProcess } from "../dist/index.js";
import { connectionOf } from "../dist/sdk/sidecar-process.js";

/** What comes and goes: descriptors of guests that are forked ahead, those guests, and young garbage of the kernel's. */
const slack = { openFds: 24, guests: 4, rssBytes: 16 * 1024 * 1024 };
const warmRuns = 500;
const looks = 200;

/** What more there is after `runs` runs than before them, by name; `seen` is shown a look now and then. */
export async function leftBy(runs, seen = () => {}) {
  const sidecar = new SidecarProcess();
  try {
    const connection = await connectionOf(sidecar);
    const rt = await NodeRuntime.create({ sidecar });
    const tpl = await rt.template(
      `globalThis.data = Array.from({ length: 1000 }, (_, at) => "row " + at)`,
    );
    const round = async (at) => {
      const { value } = await tpl.run(`data.push(1); __return(data.length + ${at})`);
      if (value !== 1001 + at) throw new Error(`a run answered ${value}`);
    };
    const look = async () => {
      const { json } = await connection.call("stats", {});
      const { accounts, guestPids, openFds, processes, rssBytes, vms } = JSON.parse(json);
      const [{ counts, kernelObjects }] = Object.values(accounts);
      const guests = guestPids.length;
      return { ...counts, kernelObjects, openFds, processes, vms, guests, rssBytes };
    };
    // The kernel's own heap has grown to what this work takes by then.
    for (let at = 0; at <= Math.min(warmRuns, runs); at++) await round(at);
    const before = await look();
    const startedAt = performance.now();
    for (let at = 1; at <= runs; at++) {
      await round(at);
      if (at % 1000 === 0) seen(at, await look());
    }
    const perRunMs = (performance.now() - startedAt) / runs;
    const more = (after) =>
      Object.keys(after).filter((name) => after[name] > (before[name] ?? 0) + (slack[name] ?? 0));
    let after = await look();
    // The last process is on its way out; what is left for good is left however long one looks.
    for (let time = 0; time < looks && more(after).length > 0; time++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      after = await look();
    }
    const left = more(after);
    await rt.dispose();
    return { left, before, after, perRunMs };
  } finally {
    await sidecar.dispose();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const runs = Number(process.argv[2] ?? 10_000);
  const { left, before, after, perRunMs } = await leftBy(
    runs,
    (at, { rssBytes, openFds, guests }) =>
      console.log(JSON.stringify({ at, rssBytes, openFds, guests })),
  );
  console.log(JSON.stringify({ runs, perRunMs, before, after }, undefined, 2));
  if (left.length > 0) throw new Error(`more than before: ${left.join(", ")}`);
}
