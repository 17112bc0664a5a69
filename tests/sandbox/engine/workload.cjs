"use strict";
// What an engine does natively after boot, in short; each phase says so on fd 2.
const crypto = require("node:crypto");
const fs = require("node:fs");
const util = require("node:util");
const vm = require("node:vm");
const zlib = require("node:zlib");
const { DatabaseSync } = require("node:sqlite");

const phases = {
  heap() {
    let kept = [];
    for (let i = 0; i < 1e6; i++) {
      kept.push({ i, text: `x${i}` });
      if (kept.length > 3e5) kept = [];
    }
    globalThis.gc?.();
  },
  buffers() {
    new ArrayBuffer(1 << 20, { maxByteLength: 64 << 20 }).resize(32 << 20);
    new SharedArrayBuffer(1 << 20, { maxByteLength: 16 << 20 }).grow(8 << 20);
    Buffer.alloc(50 << 20, 1);
  },
  async wasm() {
    const code = "AGFzbQEAAAABBgFgAX8BfwMCAQAFAwEAAQcJAgFmAAABbQIACgkBBwAgACgCAAs=";
    const { instance } = await WebAssembly.instantiate(Buffer.from(code, "base64"));
    let trapped = false;
    try {
      instance.exports.f(0x7fffff00);
    } catch (error) {
      trapped = error instanceof WebAssembly.RuntimeError;
    }
    if (!trapped) throw new Error("no trap");
    for (let i = 0; i < 1e5; i++) instance.exports.f(0);
  },
  async crypto() {
    crypto.randomBytes(64);
    crypto.generateKeyPairSync("ed25519");
    const pbkdf2 = util.promisify(crypto.pbkdf2);
    await Promise.all(Array.from({ length: 8 }, () => pbkdf2("a", "b", 5000, 32, "sha512")));
    await crypto.subtle.digest("SHA-256", new Uint8Array(10));
  },
  async zlib() {
    const data = crypto.randomBytes(1 << 20);
    zlib.zstdDecompressSync(zlib.zstdCompressSync(data));
    await util.promisify(zlib.gunzip)(await util.promisify(zlib.gzip)(data));
  },
  async timers() {
    await new Promise((resolve) => setTimeout(resolve, 5));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    process.cpuUsage();
    process.resourceUsage();
  },
  intl() {
    new Intl.DateTimeFormat("de", { timeZone: "Europe/Berlin", dateStyle: "full" }).format(0);
  },
  async socket() {
    const big = Buffer.alloc(2 << 20, 97);
    let got = 0;
    const socket = globalThis.__sock;
    await new Promise((resolve) => {
      socket.on("data", (chunk) => (got += chunk.length) >= big.length && resolve());
      socket.write(big);
    });
    socket.removeAllListeners("data");
    socket.unref();
  },
  vm() {
    try {
      vm.runInNewContext("for(;;);", {}, { timeout: 20 });
    } catch (error) {
      if (error.code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    }
  },
  sqlite() {
    const database = new DatabaseSync(":memory:");
    database.exec("create table t(a); insert into t values(1)");
    database.close();
  },
  async modules() {
    await import("data:text/javascript,export default 1");
  },
};

globalThis.__main = async () => {
  for (const [name, run] of Object.entries(phases)) {
    try {
      await run();
      fs.writeSync(2, `${name}\n`);
    } catch (error) {
      fs.writeSync(2, `${name}: ${error.stack}\n`);
    }
  }
  process.exit(0);
};
