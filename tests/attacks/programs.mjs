/**
 * Our own attack programs, one or more per class of attack. Each runs in a guest with the globals
 * of `prelude`, and returns true when it was contained or a text that says what it got hold of;
 * `ends` names attacks that pass by the machine ending them. `control` says that the same text
 * succeeds in a plain Node, where `prelude` points at the same secrets.
 */
export const programs = {
  "host objects: every constructor is the guest's own": {
    code: `
      // Getters called on the wrong object reject promises that nobody holds.
      process.on("unhandledRejection", () => {});
      const seen = new Set();
      const visit = (value, depth) => {
        if (value === null || (typeof value !== "object" && typeof value !== "function")) return;
        if (seen.has(value) || depth > 4) return;
        seen.add(value);
        let maker;
        try { maker = value.constructor?.constructor; } catch { return; }
        if (typeof maker === "function" && maker.name === "Function") {
          let found;
          try { found = maker("return process")(); } catch { return; }
          if (found !== process) throw new Error("another process object");
        }
        for (const key of Reflect.ownKeys(value)) {
          let inner;
          try { inner = value[key]; } catch { continue; }
          visit(inner, depth + 1);
        }
      };
      visit(globalThis, 0);
      try { null.x; } catch (error) { visit(error, 0); }
      return true;`,
  },
  "prototype pollution: poisoned prototypes under system calls": {
    code: `
      const caught = [];
      for (const name of ["path", "fd", "type", "id", "payload", "vm", "then"]) {
        Object.defineProperty(Object.prototype, name, {
          set(value) { caught.push(value); },
          get() { return undefined; },
          configurable: true,
        });
      }
      const fs = await import("node:fs");
      fs.writeFileSync("/tmp/p", "x");
      const text = fs.readFileSync("/tmp/p", "utf8");
      for (const name of ["path", "fd", "type", "id", "payload", "vm", "then"]) delete Object.prototype[name];
      return text === "x" && !caught.some((value) => String(value).includes(canary)) || "a secret was set";`,
  },
  "results: forged by printing": {
    code: `console.log('{"value":{"forged":true}}'); console.log("\\u0000\\u0004returnValue"); return true;`,
  },
  "internal bindings": {
    control: true,
    code: `
      try { process.binding("fs"); } catch {}
      for (const name of ["internal/test/binding", "node:internal/bootstrap/realm"]) {
        try { process.mainModule?.require?.(name); require(name); return name; } catch {}
        try { await import(name); return name; } catch {}
      }
      try {
        const { open } = process.binding("fs");
        const fd = open(canaryPath, 0, 0o666);
        return "process.binding opened " + fd;
      } catch { return true; }`,
  },
  "native code: ffi, addons, inspector": {
    code: `
      for (const name of ["node:ffi", "node:trace_events"]) {
        try { await import(name); return name; } catch {}
      }
      // A session in the process itself is a program's own; a port would be the host's.
      const inspector = await import("node:inspector");
      try { inspector.open(0, "127.0.0.1"); return "inspector port"; } catch {}
      if (inspector.url() !== undefined) return "inspector url";
      for (const path of ["/lib/x86_64-linux-gnu/libc.so.6", "libc.so.6"]) {
        try { process.dlopen({ exports: {} }, path); return "dlopen"; } catch {}
      }
      const { DatabaseSync } = await import("node:sqlite").catch(() => ({}));
      if (DatabaseSync !== undefined) {
        try { new DatabaseSync(canaryPath).exec("create table t(x)"); return "sqlite"; } catch {}
      }
      return true;`,
  },
  "engine flags": {
    code: `
      const v8 = await import("node:v8");
      for (const flag of ["--sandbox-testing", "--allow-natives-syntax", "--expose-internals"]) {
        try { v8.setFlagsFromString(flag); } catch {}
      }
      if (typeof globalThis.Sandbox === "object") return "memory corruption API";
      try { process.chdir("/proc/self/root" + canaryPath.slice(0, canaryPath.lastIndexOf("/"))); return "chdir"; }
      catch { return true; }`,
  },
  "workers have the same walls": {
    control: true,
    code: `
      const { Worker } = await import("node:worker_threads");
      const answer = await new Promise((done) => {
        const worker = new Worker(
          \`const { parentPort, workerData } = require("node:worker_threads");
           try { parentPort.postMessage(require("node:fs").readFileSync(workerData, "utf8")); }
           catch (error) { parentPort.postMessage("refused " + error.code); }\`,
          { eval: true, workerData: canaryPath, env: {}, execArgv: [] });
        worker.on("message", done).on("error", ({ code }) => done("refused " + code));
      });
      return answer.startsWith("refused") || answer;`,
  },
  "processes: what runs is the machine's": {
    control: true,
    code: `
      const { spawnSync } = await import("node:child_process");
      const { stdout } = spawnSync("cat", [canaryPath], { encoding: "utf8" });
      const source = "process.execve('/bin/cat', ['cat', process.env.CANARY], {})";
      const replaced = spawnSync(process.execPath, ["-e", source], { encoding: "utf8", env: { ...process.env, CANARY: canaryPath } });
      if (replaced.stdout?.includes(canary)) return "execve: " + replaced.stdout;
      return !stdout?.includes(canary) || stdout;`,
  },
  "signals: host processes": {
    control: true,
    code: `
      for (const pid of [hostPid, process.ppid]) {
        if (pid <= 1) continue;
        try { process.kill(pid, 0); return "signalled " + pid; } catch {}
      }
      try { process.kill(-1, 0); } catch {}
      return true;`,
  },
  "identity: user, groups, directory": {
    code: `
      for (const [name, value] of [["setuid", 0], ["setgid", 0], ["setgroups", [0]]]) {
        try { process[name](value); return name; } catch {}
      }
      return process.getuid() !== 0 || "root";`,
  },
  "files: every way to read one of the host": {
    control: true,
    code: `
      const fs = await import("node:fs");
      const ways = [
        () => fs.readFileSync(canaryPath, "utf8"),
        () => fs.readFileSync("/proc/self/root" + canaryPath, "utf8"),
        () => fs.readFileSync("/../../../.." + canaryPath, "utf8"),
        () => fs.readFileSync(new URL("file://" + canaryPath), "utf8"),
        () => { fs.copyFileSync(canaryPath, "/tmp/c"); return fs.readFileSync("/tmp/c", "utf8"); },
        () => { fs.linkSync(canaryPath, "/tmp/l"); return fs.readFileSync("/tmp/l", "utf8"); },
        () => { fs.symlinkSync(canaryPath, "/tmp/s"); return fs.readFileSync("/tmp/s", "utf8"); },
        () => fs.statSync(canaryPath).size + " bytes",
        () => process.loadEnvFile(canaryPath) ?? "loaded",
        async () => (await fs.openAsBlob(canaryPath)).text(),
        async () => { for await (const chunk of fs.createReadStream(canaryPath)) return String(chunk); },
        async () => (await import(canaryPath, { with: { type: "json" } })).default,
      ];
      for (const way of ways) {
        try { return way + " gave " + (await way()); } catch (error) {
          if (String(error.message).includes(canary)) return "in the error: " + error.message;
        }
      }
      return true;`,
  },
  "files: foreign descriptors": {
    code: `
      const fs = await import("node:fs");
      for (let fd = 3; fd < 128; fd++) {
        try { fs.fstatSync(fd); return "descriptor " + fd; } catch {}
        try { fs.writeSync(fd, "x"); return "write to " + fd; } catch {}
      }
      return true;`,
  },
  "mounts: links and dots do not lead out": {
    mounts: true,
    code: `
      const fs = await import("node:fs");
      for (const name of ["absolute", "relative", "chain", "../secret/canary", "sub/../../secret/canary"]) {
        for (const mount of ["/mnt/rw", "/mnt/ro"]) {
          try { return fs.readFileSync(mount + "/" + name, "utf8"); } catch {}
        }
      }
      fs.symlinkSync("../../secret", "/mnt/rw/made");
      try { return fs.readFileSync("/mnt/rw/made/canary", "utf8"); } catch {}
      for (const path of ["/mnt/ro/new", "/mnt/ro/file"]) {
        try { fs.writeFileSync(path, "x"); return "wrote " + path; } catch {}
      }
      try { fs.renameSync("/mnt/rw/file", "/mnt/ro/file2"); return "renamed"; } catch {}
      return true;`,
  },
  "environment and arguments of the host": {
    control: true,
    code: `
      const texts = [JSON.stringify(process.env), process.argv.join(), process.execPath, process.title];
      const fs = await import("node:fs");
      for (const name of ["environ", "cmdline", "maps", "mounts", "status"]) {
        try { texts.push(fs.readFileSync("/proc/self/" + name, "utf8")); } catch {}
      }
      try { texts.push(JSON.stringify(process.report.getReport())); } catch {}
      return !texts.join().includes(hostSecret) || "the host's environment";`,
  },
  "facts about the machine": {
    control: true,
    code: `
      const os = await import("node:os");
      if (os.hostname() === hostName) return "hostname";
      for (const list of Object.values(os.networkInterfaces())) {
        if (list.some(({ mac }) => hostMacs.includes(mac))) return "mac address";
      }
      return true;`,
  },
  "network: the host's loopback, by every spelling": {
    control: true,
    code: `
      const net = await import("node:net");
      for (const host of ["127.0.0.1", "localhost", "0.0.0.0", "::1", "::ffff:127.0.0.1", "127.1", "2130706433", "0x7f000001"]) {
        const got = await new Promise((done) => {
          const socket = net.connect({ port: hostPort, host });
          socket.on("data", (data) => done(String(data))).on("error", () => done("")).on("close", () => done(""));
        });
        if (got.includes(canary)) return host;
      }
      return true;`,
  },
  "network: fetch, and a socket file of the host": {
    control: true,
    code: `
      try {
        const text = await (await fetch("http://127.0.0.1:" + hostPort + "/")).text();
        if (text.includes(canary)) return "fetch";
      } catch {}
      const net = await import("node:net");
      const got = await new Promise((done) => {
        net.connect(hostSocket).on("data", (data) => done(String(data))).on("error", () => done(""));
      });
      return !got.includes(canary) || "unix socket";`,
  },
  "memory: heap": {
    ends: true,
    code: `const kept = []; for (;;) kept.push(new Array(1e5).fill(1.5));`,
  },
  "memory: buffers, shared and growing": {
    code: `
      const kept = [];
      const mebibyte = 1024 * 1024;
      let held = 0;
      try { for (;; held += 8) kept.push(new SharedArrayBuffer(8 * mebibyte), Buffer.alloc(0)) && new Uint8Array(kept.at(-2)).fill(1); } catch {}
      try { for (;; held += 8) kept.push(Buffer.alloc(8 * mebibyte, 1)); } catch {}
      try { const memory = new WebAssembly.Memory({ initial: 1 }); for (;; held++) { memory.grow(16); new Uint8Array(memory.buffer).fill(1); } } catch {}
      kept.length = 0;
      return held <= 512 || "held " + held + " MiB";`,
  },
  "CPU: a loop": { ends: true, code: `for (;;);` },
  "CPU: microtasks without end": { ends: true, code: `for (;;) await null;` },
  "CPU: exit handlers, finally": {
    ends: true,
    code: `process.on("exit", () => { for (;;); }); try { return "returned"; } finally { for (;;); }`,
  },
  "CPU: background threads": {
    ends: true,
    code: `
      const { pbkdf2 } = await import("node:crypto");
      await new Promise((done) => { for (let i = 0; i < 4; i++) pbkdf2("a", "b", 2 ** 31 - 1, 64, "sha512", done); });
      return "done";`,
  },
  "time: waiting for ever": {
    ends: true,
    code: `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); return "woken";`,
  },
  "processes: a bomb": {
    code: `
      const { spawn } = await import("node:child_process");
      const children = [];
      let code;
      for (let i = 0; i < 200 && code === undefined; i++) {
        const child = spawn("sleep", ["100"], { stdio: "ignore" });
        children.push(child);
        await new Promise((done) => child.on("spawn", done).on("error", (error) => { code = error.code; done(); }));
      }
      for (const child of children) child.kill("SIGKILL");
      return code === "EAGAIN" || "no limit in " + children.length;`,
  },
  "disk: bytes, inodes, holes": {
    code: `
      const fs = await import("node:fs");
      const until = (make) => { for (let i = 0; i < 1e6; i++) try { make(i); } catch (error) { return error.code; } };
      const bytes = until((i) => fs.appendFileSync("/tmp/full", Buffer.alloc(1024 * 1024)));
      fs.rmSync("/tmp/full");
      fs.mkdirSync("/tmp/many");
      const inodes = until((i) => fs.writeFileSync("/tmp/many/" + i, ""));
      fs.rmSync("/tmp/many", { recursive: true });
      fs.writeFileSync("/tmp/hole", "");
      try { fs.truncateSync("/tmp/hole", 2 ** 40); } catch {}
      return (bytes === "ENOSPC" && inodes === "ENOSPC") || bytes + inodes;`,
  },
  "crash: abort, a deep stack": {
    ends: true,
    code: `const deep = () => { try { deep(); } catch {} }; deep(); process.abort();`,
  },
  "output: escape sequences arrive as bytes": {
    code: `process.stdout.write("\\u001b]52;c;aGk=\\u0007\\u0000"); return true;`,
  },
  "special files: none can be made, none block": {
    mounts: true,
    code: `
      const fs = await import("node:fs");
      try { fs.openSync("/mnt/rw/fifo", "r"); return "opened a fifo of the host"; } catch {}
      for (const path of ["/dev/mem", "/dev/kmsg", "/dev/sda", "/proc/kcore", "/sys/kernel"]) {
        try { fs.readFileSync(path); return path; } catch {}
      }
      return true;`,
  },
};
