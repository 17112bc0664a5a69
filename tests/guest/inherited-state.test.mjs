/**
 * What Node computes once, from its command line, environment or memory: a guest is forked after
 * that and must not tell. docs/isolation.md lists it; here each is compared with a plain start.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { savings } from "../../dist/sdk/savings.js";
import { machine } from "../support/machines.mjs";
import { plainNode } from "../support/plain-node.mjs";

/** what → an expression. */
const inherited = {
  execArgv: "process.execArgv",
  features: "process.features",
  config: "process.config",
  "allowed environment flags": "[...process.allowedNodeEnvironmentFlags]",
  "names of process": "Reflect.ownKeys(process).map(String).sort()",
  "prototype of process": "Reflect.ownKeys(Object.getPrototypeOf(process)).map(String).sort()",
  "listeners of process": "process.eventNames().map(String)",
  "warning listeners": "process.listenerCount('warning')",
  "require.cache": "Object.keys(require.cache)",
  "buffer sizes": "[buffer.kMaxLength, buffer.kStringMaxLength, buffer.constants, Buffer.poolSize]",
  "http limits":
    "[http.maxHeaderSize, http.globalAgent.options, http.globalAgent.maxSockets, http.globalAgent.maxFreeSockets]",
  "stack traces": "[Error.stackTraceLimit, Error.prepareStackTrace === undefined]",
  "async ids": "[async_hooks.executionAsyncId(), async_hooks.triggerAsyncId()]",
  "async ids given out": "new async_hooks.AsyncResource('x').asyncId()",
  "timer ids": "setTimeout(()=>{},0)[Symbol.toPrimitive]()",
  "performance entries":
    "[performance.getEntries().length, performance.nodeTiming.bootstrapComplete > 0, performance.nodeTiming.loopStart, performance.eventLoopUtilization(), performance.nodeTiming.duration < 20000]",
  "node timing": "Object.keys(performance.nodeTiming.toJSON())",
  "time zone and locale":
    "[new Date(0).getTimezoneOffset(), Intl.DateTimeFormat().resolvedOptions()]",
  "state of process":
    "[process.exitCode, process.connected, process.channel, process.debugPort, process.noDeprecation, process.throwDeprecation, process.traceDeprecation, process.sourceMapsEnabled, process.domain, process.report.reportOnUncaughtException, process.report.signal, process.report.filename]",
  "compile cache":
    "[module.constructor.getCompileCacheDir(), module.constructor.constants && Object.keys(module.constructor.constants)]",
  "names of module": "Reflect.ownKeys(module.constructor).map(String).sort()",
  "require.extensions": "Object.keys(require.extensions)",
  "tls defaults":
    "[tls.DEFAULT_MIN_VERSION, tls.DEFAULT_MAX_VERSION, tls.DEFAULT_ECDH_CURVE, tls.DEFAULT_CIPHERS]",
  "network defaults":
    "[dns.getDefaultResultOrder(), net.getDefaultAutoSelectFamily(), net.getDefaultAutoSelectFamilyAttemptTimeout()]",
  "events defaults": "[events.defaultMaxListeners, events.captureRejections, events.usingDomains]",
  colours: "[process.stdout.isTTY, process.stdout.hasColors, util.inspect.defaultOptions]",
  "stream buffers": "[stream.getDefaultHighWaterMark(false), stream.getDefaultHighWaterMark(true)]",
  console: "Reflect.ownKeys(console).map(String).sort()",
  versions: "Object.keys(process.versions)",
  release: "Object.keys(process.release)",
  navigator: "[navigator.language, navigator.userAgent.replace(/\\d+/,''), navigator.platform]",
  crypto:
    "[crypto.getFips(), crypto.getHashes().length, crypto.getCiphers().length, crypto.getCurves().length, crypto.constants.defaultCipherList]",
  zlib: "Object.keys(zlib.constants).length",
  fs: "Object.keys(fs).sort()",
  inspector: "Object.keys(inspector).sort()",
  signals: "Object.keys(os.constants.signals).length",
  "symbols of process": "Object.getOwnPropertySymbols(process).map(String).sort()",
  permission: "process.permission",
  Error: "Object.getOwnPropertyNames(Error).sort()",
  "functions of process":
    "Reflect.ownKeys(process).filter(k=>typeof process[k]==='function').map(k=>String(k)+'/'+process[k].length+'/'+process[k].name).sort()",
  "properties of process":
    "Reflect.ownKeys(process).map(k=>{const d=Object.getOwnPropertyDescriptor(process,k);return String(k)+' '+d.enumerable+d.configurable+d.writable+typeof d.get+typeof d.set}).sort()",
};

/** Not the same, each for its reason. */
const otherwise = new Set([
  // Node's is an anonymous function that is replaced as it is assigned; here an accessor keeps ours in front.
  "_fatalException/2/",
  "_fatalException/2/uncaught",
  "_fatalException truetruetrueundefinedundefined",
  "_fatalException truetrueundefinedfunctionfunction",
  // The moment at which C++ would shut down is its call of `process.emit("exit")`: src/guest/leaving.ts.
  "emit",
  // The native one answers for the process of Linux: src/guest/title.ts.
  "title truetruetrueundefinedundefined",
  "title truetrueundefinedfunctionfunction",
  // Deprecated by name while the engine starts, which the zygote did without the option.
  "_tickCallback/0/deprecated",
  "_tickCallback/0/runNextTicks",
]);

const ask = `
  const out = {}, asked = ${JSON.stringify(inherited)};
  const plain = (key, value) => typeof value === "function" ? "function" : value === undefined ? "undefined" : value;
  for (const what in asked) out[what] = JSON.parse(JSON.stringify(eval(asked[what]), plain) ?? "null");
  require("fs").writeSync(1, JSON.stringify(out));`;

const starts = {
  "no options": { flags: [] },
  limits: { flags: ["--max-http-header-size=99", "--stack-trace-limit=3"] },
  deprecations: { flags: ["--no-deprecation", "--pending-deprecation", "--throw-deprecation"] },
  // It gets an engine of its own.
  parser: { flags: ["--insecure-http-parser"] },
  network: {
    flags: [
      "--dns-result-order=ipv4first",
      "--no-network-family-autoselection",
      "--tls-min-v1.3",
      "--network-family-autoselection-attempt-timeout=300",
    ],
  },
  modules: { flags: ["--conditions=a", "--preserve-symlinks"] },
  warnings: { flags: ["--unhandled-rejections=warn", "--no-warnings", "--trace-warnings"] },
  NODE_OPTIONS: { env: { NODE_OPTIONS: "--stack-trace-limit=3 --no-deprecation --title=x" } },
  variables: {
    env: {
      NODE_NO_WARNINGS: "1",
      NODE_PENDING_DEPRECATION: "1",
      TZ: "Asia/Tokyo",
      FORCE_COLOR: "1",
    },
  },
};

const rt = await machine({});
// What a guest inherits grows with what its zygote has loaded ahead: all of it, once it is warm.
await savings();
const rows = (value) =>
  (Array.isArray(value) ? value : [value])
    .map((row) => (typeof row === "string" ? row : JSON.stringify(row)))
    .filter((row) => !otherwise.has(row));

for (const [how, { flags = [], env = {} }] of Object.entries(starts)) {
  test(`a guest starts as plain Node does: ${how}`, async () => {
    const base = { HOME: "/home/user", PATH: "/usr/local/bin:/usr/bin" };
    const plain = plainNode([...flags, "-e", ask], { cwd: "/tmp", env: { ...base, ...env } });
    assert.equal(plain.status, 0, plain.stderr);
    const guest = await rt.execCommand("node", [...flags, "-e", ask], { cwd: "/tmp", env });
    assert.equal(guest.exitCode, 0, guest.stderr);
    const [got, wanted] = [JSON.parse(guest.stdout), JSON.parse(plain.stdout)];
    for (const what of Object.keys(inherited))
      assert.deepEqual(rows(got[what]), rows(wanted[what]), what);
  });
}

test("marks, measures and the event loop count from the guest's own start", async () => {
  // The zygote is older than this by far more than a guest's start takes.
  const { value } = await rt.run(`
    const { nodeTiming } = performance;
    await new Promise((resolve) => setTimeout(resolve, 5));
    const looped = performance.eventLoopUtilization();
    __return([nodeTiming.duration, nodeTiming.loopStart, performance.now(), looped.idle + looped.active, nodeTiming.nodeStart]);`);
  const [duration, loopStart, now, looped, nodeStart] = value;
  assert.ok(duration <= now && loopStart <= now && looped <= now && nodeStart >= 0, String(value));
});
