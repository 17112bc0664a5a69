// What drives each system call, and each event of a guest, to its bound: a program per row of the
// tables. It runs as native code in the guest and has
//   sys(name, args)   the call, and its result or -errno
//   post(name, args)  the call, without waiting for its answer
//   tell(name, args)  the event
//   fill(make)        calls `make(i)` until it answers a negative errno, at most 20,000 times; how often
//   fillUntilPaced(make)  the same, until the account is full and the kernel has taken ten of them only after a while
//   wait()            a round trip: everything sent before has been read
// and may keep what it likes. A row without a program does not pass: tests/kernel/bounds.test.mjs.
const deepLinks = `
  const pad = "./".repeat(2030);
  sys("mkdir", { path: "/tmp/l", mode: 0o755, recursive: true });
  for (let i = 0; i < 38; i++) sys("symlink", { target: pad + (i ? "l" + (i - 1) : "."), path: "/tmp/l/l" + i });
  const chain = "/tmp/l/l37", below = chain + "/q".repeat(1900);`;
const bigDirectory = `
  sys("mkdir", { path: "/tmp/many", mode: 0o755, recursive: true });
  fill((i) => sys("mkdir", { path: "/tmp/many/" + "n".repeat(200) + i, mode: 0o755, recursive: false }));`;
const sparse = `
  const { fd: hole } = sys("open", { path: "/tmp/hole", flags: O_RDWR | O_CREAT, mode: 0o644 });
  sys("ftruncate", { fd: hole, length: 2 ** 44 });`;
const onPath = (name, rest = "") => `${deepLinks}
  for (let i = 0; i < 5; i++) sys("${name}", { path: below${rest} });`;
const onTwoPaths = (name) => `${deepLinks}
  for (let i = 0; i < 5; i++) sys("${name}", { from: below, to: chain + "/x"${name === "copyFile" ? ", mode: 0" : ""} });`;
const onFile = (name, rest) => `
  ${sparse}
  for (let i = 0; i < 50; i++) sys("${name}", { fd: hole${rest} });`;
const tcp = `
  const socket = () => sys("socket", { type: 0 });
  const listener = socket().fd;
  sys("bind", { fd: listener, address: "127.0.0.1", port: 4000, flags: 0 });
  sys("listen", { fd: listener, backlog: 4096 });`;
const udp = `
  const { fd: receiver } = sys("socket", { type: 2 });
  sys("bind", { fd: receiver, address: "127.0.0.1", port: 5000, flags: 0 });
  const { fd: sender } = sys("socket", { type: 2 });`;
/** Calls that wait for ever, as many as there may be. */
const waiting = (name, args) => `
  for (let i = 0; i < 20_000; i++) post("${name}", ${args});
  wait();`;
/** Every terminal that there may be, full in both directions, each opened as often as may be. */
const terminals = `
  const masters = [];
  fillUntilPaced(() => {
    const made = sys("open", { path: "/dev/ptmx", flags: O_RDWR, mode: 0 });
    if (typeof made === "number") return made;
    masters.push(made.fd);
    const { number } = sys("terminalGet", { fd: made.fd });
    const slave = sys("open", { path: "/dev/pts/" + number, flags: O_RDWR, mode: 0 });
    post("write", { fd: made.fd, data: new Uint8Array(100_000).fill(10), position: -1 });
    if (typeof slave !== "number") post("write", { fd: slave.fd, data: new Uint8Array(100_000).fill(10), position: -1 });
    return 0;
  });
  fill(() => sys("open", { path: "/dev/pts/0", flags: O_RDWR, mode: 0 }));`;
const longName = `"n".repeat(6 * 1024 * 1024)`;

export const callBounds = {
  open: `fill((i) => sys("open", { path: "/mnt/host/file", flags: 0, mode: 0 }));
    fill((i) => sys("open", { path: "/proc/self/environ", flags: 0, mode: 0 }));
    fill((i) => sys("open", { path: "/tmp/" + "n".repeat(200) + i, flags: O_RDWR | O_CREAT, mode: 0o644 }));`,
  close: `for (let i = 0; i < 20_000; i++) sys("close", { fd: i });`,
  read: `for (const path of ["/dev/zero", "/dev/urandom"]) {
      const { fd } = sys("open", { path, flags: 0, mode: 0 });
      for (let i = 0; i < 8; i++) sys("read", { fd, length: 0xffffffff, position: -1 });
    }
    const { reader } = sys("pipe", {});
    ${waiting("read", `{ fd: reader, length: 0xffffffff, position: -1 }`)}`,
  write: `fill((i) => {
      const pair = sys("pipe", {});
      if (typeof pair === "number") return pair;
      for (let n = 0; n < 100; n++) post("write", { fd: pair.writer, data: new Uint8Array(1), position: -1 });
      post("write", { fd: pair.writer, data: new Uint8Array(256 * 1024), position: -1 });
      return 0;
    });
    wait();`,
  fstat: onFile("fstat", ""),
  fchmod: onFile("fchmod", ", mode: 0o600"),
  fchown: onFile("fchown", ", uid: 0xffffffff, gid: 0xffffffff"),
  futimes: onFile("futimes", ", atimeMs: 1, mtimeMs: 1"),
  ftruncate: `${sparse}
    for (let i = 0; i < 300; i++) sys("write", { fd: hole, data: new Uint8Array(1), position: i * 65536 });
    for (let i = 44; i >= 0; i--) sys("ftruncate", { fd: hole, length: 2 ** i });`,
  fsync: onFile("fsync", ""),
  readAhead: `${sparse}
    for (let i = 0; i < 200; i++) sys("readAhead", { fd: hole, length: i % 2 ? 1 : 0xffffffff, ahead: 0xffffffff });
    fill(() => sys("open", { path: "/mnt/host/file", flags: 0, mode: 0 }));
    for (let fd = 0; fd < 300; fd++) sys("readAhead", { fd, length: 0, ahead: 0xffffffff });`,
  writeFirst: `fill((i) => {
      const made = sys("open", { path: "/tmp/w" + i, flags: O_RDWR | O_CREAT, mode: 0o644 });
      if (typeof made === "number") return made;
      return sys("writeFirst", { fd: made.fd, data: new Uint8Array(100), more: 0xffffffff });
    });
    for (let i = 0; i < 1000; i++) post("writeFirst", { fd: 20, data: new Uint8Array(i % 2 ? 0 : 200_000), more: 0xffffffff });
    wait();`,
  writeWithin: `fill((i) => {
      const made = sys("open", { path: "/tmp/w" + i, flags: O_RDWR | O_CREAT, mode: 0o644 });
      if (typeof made === "number") return made;
      const fileBytes = [NaN, Infinity, -1, 2 ** 53, 1000, 0.5, 200_000][i % 7];
      for (let n = 0; n < 4; n++) post("writeWithin", { fd: made.fd, data: new Uint8Array(200_000), fileBytes });
      return 0;
    });
    const { writer } = sys("pipe", {});
    for (let n = 0; n < 100; n++) post("writeWithin", { fd: writer, data: new Uint8Array(256 * 1024), fileBytes: 1 });
    wait();`,
  readFd: `const { reader } = sys("pipe", {}); ${waiting("readFd", "{ fd: reader }")}`,
  readFile: `${sparse}
    fill((i) => { const part = sys("readFile", { path: "/tmp/hole", flags: 0 }); return typeof part === "number" ? part : i > 30 ? -1 : 0; });`,
  writeFile: `fill((i) => { const part = sys("writeFile", { path: "/tmp/w" + i, data: new Uint8Array(960 * 1024), flags: O_RDWR | O_CREAT, mode: 0o644, more: true });
      return typeof part === "number" ? part : i > 250 ? -1 : 0; });`,
  copyFile: `${sparse}
    for (let i = 0; i < 200; i++) sys("write", { fd: hole, data: new Uint8Array(1), position: i * 2 ** 33 });
    for (const to of ["/dev/null", "/dev/full", "/tmp/copy"]) sys("copyFile", { from: "/tmp/hole", to, mode: 0 });
    for (let i = 0; i < 40; i++) post("copyFile", { from: "/tmp/hole", to: "/tmp/copy" + (i % 4), mode: 0 });
    wait();`,
  stat: onPath("stat", ", follow: true"),
  access: onPath("access", ", mode: 0"),
  exists: onPath("exists"),
  mkdir: `${deepLinks}
    for (let i = 0; i < 5; i++) sys("mkdir", { path: below, mode: 0o755, recursive: true });
    sys("mkdir", { path: "/tmp" + "/d".repeat(2000), mode: 0o755, recursive: true });
    ${bigDirectory}`,
  makeFifo: `${deepLinks}
    for (let i = 0; i < 5; i++) sys("makeFifo", { path: below, mode: 0o644 });
    // Each filled, and opened as often as may be; and then calls that wait for the other side of one.
    fillUntilPaced((i) => {
      const made = sys("makeFifo", { path: "/tmp/" + "n".repeat(200) + i, mode: 0o644 });
      if (typeof made === "number") return made;
      const end = sys("open", { path: "/tmp/" + "n".repeat(200) + i, flags: O_RDWR, mode: 0 });
      if (typeof end === "number") return end;
      post("write", { fd: end.fd, data: new Uint8Array(100_000), position: -1 });
      return 0;
    });
    sys("makeFifo", { path: "/tmp/waits", mode: 0o644 });
    for (let i = 0; i < 20_000; i++) post("open", { path: "/tmp/waits", flags: 0, mode: 0 });
    wait();`,
  rmdir: onPath("rmdir"),
  unlink: onPath("unlink"),
  rm: `${bigDirectory} sys("rm", { path: "/tmp/many", recursive: true, force: true });`,
  rename: `${onTwoPaths("rename")}
    sys("mkdir", { path: "/tmp" + "/d".repeat(2000), mode: 0o755, recursive: true });
    for (let i = 0; i < 100; i++) sys("rename", { from: "/tmp/d", to: "/tmp/d" + "/d".repeat(1990) + "/x" });`,
  link: `${onTwoPaths("link")}
    sys("writeFile", { path: "/tmp/one", data: new Uint8Array(0), flags: O_RDWR | O_CREAT, mode: 0o644, more: false });
    fill((i) => sys("link", { from: "/tmp/one", to: "/tmp/" + "n".repeat(200) + i }));`,
  symlink: `fill((i) => sys("symlink", { target: "t".repeat(4000), path: "/tmp/" + "n".repeat(200) + i }));`,
  readlink: onPath("readlink"),
  realpath: onPath("realpath"),
  readdir: `${bigDirectory} for (let i = 0; i < 5; i++) sys("readdir", { path: "/tmp/many", start: 0 });`,
  chmod: onPath("chmod", ", mode: 0o644"),
  chown: onPath("chown", ", uid: 0xffffffff, gid: 0xffffffff, follow: true"),
  utimes: onPath("utimes", ", atimeMs: 1, mtimeMs: 1, follow: true"),
  mkdtemp: `fill((i) => { const made = sys("mkdtemp", { prefix: "/tmp/" + "n".repeat(200) }); return typeof made === "number" ? made : 0; });`,
  statfs: onPath("statfs"),
  watch: `sys("mkdir", { path: "/tmp/w", mode: 0o755, recursive: true });
    fill(() => sys("watch", { path: "/tmp/w" }));
    fill(() => sys("watch", { path: "/mnt/host" }));
    for (let i = 0; i < 20; i++) sys("mkdir", { path: "/tmp/w/" + "n".repeat(200) + i, mode: 0o755, recursive: false });`,
  unwatch: `for (let i = 0; i < 20_000; i++) sys("unwatch", { watch: i });`,
  lock: `${sparse}
    fill((i) => { const done = sys("lock", { fd: hole, steps: Array.from({ length: 16 }, (_, n) => [1, (i * 16 + n) * 4, 1]).flat() });
      return typeof done === "number" ? done : 0; });`,
  locked: `${sparse} for (let i = 0; i < 1000; i++) sys("locked", { fd: hole, start: 0, length: 2 ** 40 });`,
  moduleStat: `${deepLinks} for (let i = 0; i < 5; i++) sys("moduleStat", { path: chain + "/a".repeat(16) + "/node_modules", content: true });`,
  directoryAhead: `${deepLinks} ${bigDirectory}
    sys("mkdir", { path: "/tmp/mods", mode: 0o755, recursive: true });
    for (let i = 0; i < 300; i++)
      sys("writeFile", { path: "/tmp/mods/" + i + ".js", data: new Uint8Array(65536), flags: O_RDWR | O_CREAT, mode: 0o644, more: false });
    for (const directory of [below, "/tmp/many", "/tmp/mods", "/mnt/host"])
      for (let i = 0; i < 8; i++) sys("directoryAhead", { directory, first: "5.js", wants: i & 3 });`,
  look: onPath("look"),
  packageScope: `${deepLinks} for (let i = 0; i < 5; i++) sys("packageScope", { directory: below, root: true });`,
  readPackage: onPath("readPackage"),
  flowShutdown: `const [first] = pair(); tell("flowOpen", { flow: 1, fd: first });
    tell("flowWrite", { flow: 1, data: new Uint8Array(65536) });
    for (let i = 0; i < 20_000; i++) post("flowShutdown", { flow: 1 });
    wait();`,
  outputPipe: `for (let i = 0; i < 20_000; i++) sys("outputPipe", {});
    for (let i = 0; i < 100; i++) tell("printed", { bytes: 2 ** 53 });`,
  socket: `fill(() => sys("socket", { type: 0 })); fill(() => sys("socket", { type: 2 }));`,
  bind: `fill((i) => { const made = sys("socket", { type: 1 });
      if (typeof made === "number") return made;
      sys("bind", { fd: made.fd, address: "\\0" + ${longName} + i, port: 0, flags: 0 });
      sys("bind", { fd: made.fd, address: "\\0" + "n".repeat(90) + i, port: 0, flags: 0 });
      return i > 20 ? -1 : 0; });
    fill((i) => { const made = sys("socket", { type: 1 });
      return typeof made === "number" ? made : sys("bind", { fd: made.fd, address: "\\0" + "n".repeat(90) + "+" + i, port: 0, flags: 0 }); });`,
  listen: `fill((i) => { const made = sys("socket", { type: 0 });
      return typeof made === "number" ? made : sys("listen", { fd: made.fd, backlog: 0xffffffff }); });
    for (let i = 0; i < 5000; i++) sys("listen", { fd: 5, backlog: i });`,
  accept: `${tcp} ${waiting("accept", "{ fd: listener }")}`,
  stopAccepting: `${tcp} for (let i = 0; i < 4000; i++) { post("accept", { fd: listener }); sys("stopAccepting", { fd: listener }); }`,
  connect: `${tcp} const MiB = new Uint8Array(1024 * 1024);
    fill(() => { const made = socket(); if (typeof made === "number") return made;
      const answer = sys("connect", { fd: made.fd, address: "127.0.0.1", port: 4000 });
      if (typeof answer === "number") return answer;
      post("write", { fd: made.fd, data: MiB, position: -1 });
      return 0; });
    wait();`,
  socketNames: `${tcp} for (let i = 0; i < 1000; i++) sys("socketNames", { fd: listener });`,
  resolve: `for (let i = 0; i < 5; i++) sys("resolve", { hostname: ${longName}, family: 4 });
    for (let i = 0; i < 1000; i++) sys("resolve", { hostname: "n".repeat(60) + i + ".localhost", family: 0 });`,
  nameOf: `for (let i = 0; i < 5; i++) sys("nameOf", { address: ${longName}, port: 80 });`,
  dnsQuery: `for (let i = 0; i < 5; i++) sys("dnsQuery", { type: ${longName}, name: "n" });
    for (let i = 0; i < 5; i++) sys("dnsQuery", { type: "A", name: ${longName} });`,
  sendTo: `${udp}
    for (let i = 0; i < 200; i++) sys("sendTo", { fd: sender, address: "127.0.0.1", port: 5000, data: new Uint8Array(65_507) });
    for (let i = 0; i < 2000; i++) sys("sendTo", { fd: sender, address: "127.0.0.1", port: 5000, data: new Uint8Array(1) });
    fill((i) => { const made = sys("socket", { type: 2 }); if (typeof made === "number") return made;
      sys("bind", { fd: made.fd, address: "127.0.0.1", port: 6000 + i, flags: 0 });
      for (let n = 0; n < 64; n++) sys("sendTo", { fd: sender, address: "127.0.0.1", port: 6000 + i, data: new Uint8Array(65_507) });
      return 0; });`,
  membership: `${udp}
    const members = [];
    fill((i) => {
      const made = sys("socket", { type: 2 });
      if (typeof made === "number") return made;
      sys("bind", { fd: made.fd, address: "0.0.0.0", port: 7000, flags: 2 });
      fill((n) => sys("membership", { fd: made.fd, group: "239.1." + (i & 255) + "." + n, source: "", via: "", joins: true }));
      sys("membership", { fd: made.fd, group: "224.0.0.9", source: "", via: "", joins: false });
      return 0;
    });
    // Each of these goes to all of them.
    for (let n = 0; n < 100; n++) sys("sendTo", { fd: sender, address: "239.1.0.1", port: 7000, data: new Uint8Array(65_507) });
    for (let n = 0; n < 20_000; n++) sys("membership", { fd: receiver, group: "232.0.0.1", source: "127.0.0." + n, via: "", joins: true });`,
  receiveFrom: `${udp} ${waiting("receiveFrom", "{ fd: receiver }")}`,
  chdir: `${onPath("chdir")}
    for (let i = 0; i < 200; i++) { sys("mkdir", { path: "n".repeat(200), mode: 0o755, recursive: false }); sys("chdir", { path: "n".repeat(200) }); }
    for (let i = 0; i < 200; i++) sys("stat", { path: "x", follow: true });`,
  umask: `for (let i = 0; i < 5000; i++) sys("umask", { mask: i });`,
  getcwd: `for (let i = 0; i < 5000; i++) sys("getcwd", {});`,
  awaitFork: `for (let i = 0; i < 20_000; i++) post("awaitFork", { errno: 0 }); wait();`,
  threadEnded: `for (let i = 0; i < 20_000; i++) post("threadEnded", { thread: i % 8 }); wait();`,
  threadSocket: `for (let i = 0; i < 200; i++) post("threadSocket", {}); wait();`,
  interruptible: `for (let i = 0; i < 5000; i++) { sys("interruptible", { on: i % 2 === 0 }); post("kill", { pid: 0, signal: 0 }); }`,
  kill: `for (let i = 0; i < 20_000; i++) post("kill", { pid: -1, signal: 0 }); wait();`,
  pipe: `fill(() => sys("pipe", {}));`,
  socketpair: `fill(() => sys("socketpair", {}));`,
  dup: `fill(() => sys("dup", { fd: 1, to: -1 }));`,
  shutdown: `const [first] = pair(); for (let i = 0; i < 5000; i++) sys("shutdown", { fd: first });`,
  describe: `for (let i = 0; i < 5000; i++) sys("describe", { fd: i });`,
  seek: onFile("seek", ", offset: 2 ** 50, whence: 2"),
  readLine: `const { reader } = sys("pipe", {}); ${waiting("readLine", "{ fd: reader, length: 0xffffffff }")}`,
  waitReadable: `const { reader } = sys("pipe", {}); ${waiting("waitReadable", "{ fd: reader, timeoutMs: 0xffffffff }")}`,
  spawn: `${deepLinks}
    const order = (file, argv, env, ignored) => sys("spawn", { file, argv, env, cwd: "", fds: [], flags: 0, uid: -1, gid: -1, ignored, openFiles: -1, fileBytes: [] });
    order("missing", ["x"], ["PATH=" + Array.from({ length: 256 }, () => chain + "/x").join(":")], []);
    order("missing", Array(60_000).fill(""), [], []);
    order("missing", [], [], Array(60_000).fill(1));
    fill((i) => { const made = order("/usr/local/bin/node", ["node", "-e", "setInterval(()=>{},1e9)"], ["E=" + "e".repeat(900_000)], []);
      return typeof made === "number" ? made : i > 12 ? -1 : 0; });`,
  exec: `const order = (file, argv, env) => sys("exec", { file, argv, env });
    order("/bin/cat", Array(60_000).fill(""), []);
    order("/bin/cat", [], Array(60_000).fill("E="));
    fill((i) => { const made = order("/bin/cat", ["cat"], ["E=" + "e".repeat(900_000)]); return typeof made === "number" ? made : i > 12 ? -1 : 0; });`,
  execve: `const order = (file, argv, env) => sys("execve", { file, argv, env });
    order("/bin/cat", Array(60_000).fill(""), []);
    order("/bin/cat", [], Array(60_000).fill("E="));
    order("missing", ["x"], ["E=" + "e".repeat(900_000)]);
    order("/bin/true", ["true"], ["E=" + "e".repeat(900_000)]);`,
  ownEngine: `for (let i = 0; i < 8; i++) sys("ownEngine", { flags: Array(i % 2 ? 20_000 : 60).fill("--single-threaded") });`,
  wait: `const { pid } = sys("spawn", { file: "/usr/local/bin/node", argv: ["node", "-e", "setInterval(()=>{},1e9)"], env: [], cwd: "", fds: [], flags: 0, uid: -1, gid: -1, ignored: [], openFiles: -1, fileBytes: [] });
    ${waiting("wait", "{ pid }")}`,
  setProcessGroup: `for (let i = 0; i < 5000; i++) sys("setProcessGroup", { pid: 0, group: i });`,
  priority: `for (let i = 0; i < 5000; i++) sys("priority", { pid: 0, nice: i % 64 });`,
  image: `for (let i = 0; i < 2000; i++) sys("image", { fd: 0, library: i % 2 ? "" : "librt.so.1" });`,
  sqliteEntry: `for (let i = 0; i < 2000; i++) sys("sqliteEntry", {});`,
  waitState: `const { pid } = sys("spawn", { file: "/usr/local/bin/node", argv: ["node", "-e", "setInterval(()=>{},1e9)"], env: [], cwd: "", fds: [], flags: 0, uid: -1, gid: -1, ignored: [], openFiles: -1, fileBytes: [] });
    for (let i = 0; i < 2000; i++) sys("waitState", { pid: i - 1000, options: i % 256 | 1 });
    ${waiting("waitState", "{ pid, options: 10 }")}`,
  terminalGet: `${terminals} for (let i = 0; i < 5000; i++) sys("terminalGet", { fd: masters[0] });`,
  terminalSet: `${terminals}
    for (const fd of masters) for (let i = 0; i < 100; i++) {
      sys("terminalSet", { fd, iflag: i * 7919, oflag: i * 104729, cflag: 0xffffffff, lflag: (i * 611953) & ~1, cc: new Uint8Array(19).fill(i), flush: i % 9 === 0, untilEnd: i % 2 === 0 });
      post("write", { fd, data: new Uint8Array(9000).fill(i % 256), position: -1 });
    }
    wait();
    sys("terminalSet", { fd: masters[0], iflag: 0, oflag: 0, cflag: 0, lflag: 0, cc: new Uint8Array(1e6), flush: false, untilEnd: true });`,
  terminalResize: `${terminals} for (let i = 0; i < 5000; i++) sys("terminalResize", { fd: masters[0], rows: i * 99, columns: 0xffffffff });`,
  terminalForeground: `${terminals} for (let i = 0; i < 2000; i++) sys("terminalForeground", { fd: masters[0], group: i });`,
  usage: `for (let i = 0; i < 2000; i++) sys("usage", {});`,
  valuePart: `const data = text("r".repeat(900 * 1024));
    for (let i = 0; i < 64; i++) sys("valuePart", { first: i % 4 === 0, data });
    for (let i = 0; i < 32; i++) sys("valuePart", { first: i === 0, data });`,
  callTool: `for (let i = 0; i < 12; i++) post("callTool", { name: "never", parts: 0, input: text("[" + "0,".repeat(500_000) + "0]") });
    ${waiting("callTool", `{ name: "never", parts: 0, input: text("[]") }`)}`,
  toolInput: `const data = text("r".repeat(60 * 1024));
    for (let i = 0; i < 24; i++) {
      const { parts } = sys("toolInput", { parts: 0, data });
      for (let j = 0; j < 20; j++) sys("toolInput", { parts: parts ?? 1, data });
    }
    for (let i = 0; i < 2000; i++) sys("toolInput", { parts: i, data: new Uint8Array(0) });
    for (let i = 0; i < 4; i++) {
      const { parts } = sys("toolInput", { parts: 0, data });
      if (parts === undefined) throw new Error("what was forgotten is held");
      post("callTool", { name: "never", parts, input: data });
    }`,
  toolNext: `for (let i = 0; i < 2000; i++) sys("toolNext", { stream: i, stop: i % 2 === 0 });`,
  describeTools: `for (let i = 0; i < 500; i++) sys("describeTools", { name: "" });
    for (let i = 0; i < 5; i++) sys("describeTools", { name: ${longName} });`,
  hostCommand: `for (let i = 0; i < 200; i++) post("hostCommand", { step: i % 5, data: new Uint8Array(100_000) });
    for (let step = 0; step < 4; step++) if (sys("hostCommand", { step, data: text("x") }) !== -1) throw new Error("it was run");`,
};

export const eventBounds = {
  flowOpen: `for (let i = 0; i < 20_000; i++) tell("flowOpen", { flow: i + 10, fd: 9999 });
    const [first] = pair();
    for (let i = 0; i < 2000; i++) tell("flowOpen", { flow: i + 100_000, fd: first });
    wait();`,
  flowRead: `const [first] = pair(); tell("flowOpen", { flow: 1, fd: first });
    for (let i = 0; i < 20_000; i++) tell("flowRead", { flow: 1, bytes: 0xffffffff });
    wait();`,
  flowHold: `const [first] = pair(); tell("flowOpen", { flow: 1, fd: first });
    for (let i = 0; i < 20_000; i++) { tell("flowRead", { flow: 1, bytes: 9 }); tell("flowHold", { flow: i % 3 }); }
    wait();`,
  flowWrite: `for (let f = 0; f < 100; f++) {
      const [first] = pair();
      if (first === undefined) break;
      tell("flowOpen", { flow: f, fd: first });
      for (let i = 0; i < 1000; i++) tell("flowWrite", { flow: f, data: new Uint8Array(1) });
      tell("flowWrite", { flow: f, data: new Uint8Array(64_000) });
    }
    wait();`,
  flowPass: `const [first, second] = pair(); tell("flowOpen", { flow: 1, fd: second });
    for (let i = 0; i < 5000; i++) tell("flowPass", { flow: 1, fd: first, data: new Uint8Array(i % 2) });
    sys("close", { fd: first }); tell("flowClose", { flow: 1, reset: false, unread: false });
    for (let ring = 2; ring < 20; ring++) {
      const [one, two] = pair(); tell("flowOpen", { flow: ring, fd: two });
      tell("flowPass", { flow: ring, fd: one, data: new Uint8Array(1) });
      for (let i = 0; i < 100; i++) { const { fd } = sys("open", { path: "/mnt/host/file", flags: 0, mode: 0 }); if (fd === undefined) break; tell("flowPass", { flow: ring, fd, data: new Uint8Array(1) }); sys("close", { fd }); }
      sys("close", { fd: one }); tell("flowClose", { flow: ring, reset: false, unread: false });
    }
    wait();`,
  flowClose: `for (let i = 0; i < 20_000; i++) tell("flowClose", { flow: i, reset: true, unread: true }); wait();`,
  ready: `tell("ready", {}); wait();`,
  exit: `tell("exit", { code: 0 });`,
  uncaught: `for (let i = 0; i < 20_000; i++) tell("uncaught", {}); wait();`,
  printed: `sys("outputPipe", {}); for (let i = 0; i < 20_000; i++) tell("printed", { bytes: i % 2 ? 2 ** 53 : 0 }); wait();`,
  output: `for (let i = 0; i < 20_000; i++) tell("output", { fd: 1, data: new Uint8Array(1) }); wait();`,
  returnValue: `const data = text(JSON.stringify("r".repeat(900 * 1024)));
    for (let i = 0; i < 64; i++) { tell("returnValue", { encoding: 0, continued: false, data }); wait(); } wait();`,
  returnFailure: `for (let i = 0; i < 5; i++) tell("returnFailure", { path: ${longName}, reason: "r".repeat(1024 * 1024) }); wait();`,
  templateReady: `tell("templateReady", { pending: Array.from({ length: 1000 }, () => "x".repeat(500)) }); wait();`,
  residentDone: `for (let i = 0; i < 20_000; i++) tell("residentDone", { sequence: i, exitCode: 0 }); wait();`,
  descriptorOwned: `for (let i = 0; i < 20_000; i++) tell("descriptorOwned", { fd: i - 10_000, owned: i % 2 === 0 }); wait();`,
  readTo: `const { fd } = sys("open", { path: "/tmp/r", flags: O_RDWR | O_CREAT, mode: 0o644 });
    sys("write", { fd, data: new Uint8Array(200_000), position: 0 });
    for (let i = 0; i < 20_000; i++) {
      if (i % 1000 === 0) sys("readAhead", { fd, length: 1, ahead: 100_000 });
      tell("readTo", { fd, position: [NaN, Infinity, -1, 2 ** 53, i, 0.5, i + 90_000][i % 7] });
    }
    wait();`,
  writeOn: `const { fd } = sys("open", { path: "/tmp/w", flags: O_RDWR | O_CREAT, mode: 0o644 });
    for (let i = 0; i < 200; i++) {
      let { promised } = sys("writeFirst", { fd, data: new Uint8Array(1000), more: 0xffffffff });
      for (; promised > 0; promised -= 1000) tell("writeOn", { fd, data: new Uint8Array(Math.min(1000, promised)) });
      tell("writeOn", { fd: i, data: new Uint8Array(0) });
    }
    wait();`,
  enginePrinted: `for (let i = 0; i < 20_000; i++) tell("enginePrinted", {}); wait();`,
  title: `for (let i = 0; i < 200; i++) tell("title", { text: "t".repeat(1024 * 1024) }); wait();`,
  clock: `for (let i = 0; i < 20_000; i++) tell("clock", { nowMs: i % 7 === 0 ? NaN : i * 1e12 }); wait();`,
  signalHandler: `for (let i = 0; i < 20_000; i++) tell("signalHandler", { signal: i % 65, handled: i % 2 === 0 }); wait();`,
};
