// Many machines made, used and disposed, and many alive at once: memory and descriptors of the kernel
// process before, meanwhile and after. `node scripts/machines.mjs [made] [alive]`, 1000 and 200 by default.
// The same, smaller, is tests/kernel/machines.test.mjs.
import { readFileSync, readdirSync } from "node:fs";
import { NodeRuntime } from "../dist/index.js";
import { sharedConnection } from "../dist/sdk/kernel-group.js";

export async function kernelState() {
  const connection = await sharedConnection();
  const stats = JSON.parse((await connection.call("stats", {})).json);
  const status = readFileSync(`/proc/${stats.pid}/status`, "latin1");
  return {
    rssMiB: Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024),
    descriptors: readdirSync(`/proc/${stats.pid}/fd`).length,
    machines: stats.vms,
    kernelBytes: stats.kernelBytes,
    kernelObjects: stats.kernelObjects,
    hostDescriptors: stats.hostDescriptors,
  };
}

const use = `
  import fs from "node:fs"; import net from "node:net"; import cp from "node:child_process";
  fs.mkdirSync("/tmp/d"); fs.writeFileSync("/tmp/d/f", "x".repeat(100_000)); fs.copyFileSync("/tmp/d/f", "/tmp/d/g");
  fs.watch("/tmp/d", { persistent: false }, () => {});
  const server = net.createServer((socket) => socket.end("hello")).listen(0, "127.0.0.1", () => {
    net.connect(server.address().port, "127.0.0.1").on("data", (data) => {
      cp.execFileSync("echo", ["x"]);
      console.log(String(data));
      process.exit(0);
    });
  });`;

async function once() {
  const rt = await NodeRuntime.create();
  try {
    const { exitCode, stdout, stderr } = await rt.exec(use);
    if (exitCode !== 0 || stdout !== "hello\n") throw new Error(`${exitCode} ${stdout}${stderr}`);
  } finally {
    await rt.dispose();
  }
}

/** Makes, uses and disposes `count` machines, four at a time. */
export async function makeAndDispose(count) {
  let left = count;
  const worker = async () => {
    while (left-- > 0) await once();
  };
  await Promise.all(Array.from({ length: 4 }, worker));
}

/** Has `count` machines alive at once, each of which has run a program. */
export async function keepAlive(count, meanwhile) {
  const machines = [];
  try {
    for (let i = 0; i < count; i++) {
      const rt = await NodeRuntime.create();
      machines.push(rt);
      const { stdout } = await rt.exec(`console.log(${i})`);
      if (stdout !== `${i}\n`) throw new Error(`machine ${i} printed ${stdout}`);
    }
    await meanwhile();
  } finally {
    await Promise.all(machines.map((rt) => rt.dispose()));
  }
}

if (process.argv[1] === import.meta.filename) {
  const [made = 1000, alive = 200] = process.argv.slice(2).map(Number);
  await makeAndDispose(Math.min(100, made));
  console.log("after the first ", await kernelState());
  for (let done = 0; done < made; done += made / 5) {
    await makeAndDispose(Math.ceil(made / 5));
    console.log(`after ${Math.round(done + made / 5)}`.padEnd(16), await kernelState());
  }
  await keepAlive(alive, async () => console.log(`${alive} alive`.padEnd(16), await kernelState()));
  console.log("all disposed    ", await kernelState());
}
