/**
 * Owns which options of the engine a machine refuses, with the reason a user reads, and which
 * it takes without an effect of their own. Whatever is in neither table takes effect; the test
 * tests/guest/flags.test.mjs holds both against the engine's own list.
 *
 * It protects nothing: an option that is refused here could not do in a guest what it is for.
 */
import type { OptionValue } from "./engine-options.js";

const permissions = "the machine's own permissions decide; give them where the machine is made";
const port = "no port of the inspector opens here; node:inspector's Session works in the process";
const image = "engine images are neither made nor loaded here";
const crypto = "OpenSSL was set up before the machine's processes were";
const start = "the engine reads it at its own start, before a machine's processes are made";
const profile = "the engine would write it past the machine's files";
const tracing = "the engine's C++ prints it past the machine's streams";
const addons = "native addons are not loaded here";

export const refusedOptions: ReadonlyMap<string, string> = new Map([
  ...[
    "--permission",
    "--permission-audit",
    "--allow-addons",
    "--allow-child-process",
    "--allow-ffi",
    "--allow-fs-read",
    "--allow-fs-vfs",
    "--allow-fs-write",
    "--allow-inspector",
    "--allow-net",
    "--allow-openssl-store",
    "--allow-wasi",
    "--allow-worker",
  ].map((name) => [name, permissions] as const),
  ...[
    "--debug",
    "--debug-brk",
    "--inspect",
    "--inspect-brk",
    "--inspect-brk-node",
    "--inspect-port",
    "--inspect-publish-uid",
    "--inspect-wait",
    "--experimental-inspector-network-resource",
    "--experimental-network-inspection",
    "--experimental-storage-inspection",
    "--experimental-worker-inspection",
  ].map((name) => [name, port] as const),
  ...[
    "--build-sea",
    "--build-snapshot",
    "--build-snapshot-config",
    "--experimental-sea-config",
    "--snapshot-blob",
  ].map((name) => [name, image] as const),
  ...[
    "--enable-fips",
    "--enable-fips-indicator-events",
    "--force-fips",
    "--openssl-config",
    "--openssl-shared-config",
  ].map((name) => [name, crypto] as const),
  ...["--experimental-config-file", "--expose-internals", "--icu-data-dir", "--v8-options"].map(
    (name) => [name, start] as const,
  ),
  ...[
    "--heapsnapshot-near-heap-limit",
    "--perf-basic-prof",
    "--perf-basic-prof-only-functions",
    "--perf-prof",
    "--perf-prof-unwinding-info",
    "--prof",
    "--prof-process",
    "--trace-event-categories",
    "--trace-event-file-pattern",
  ].map((name) => [name, profile] as const),
  ...[
    "--completion-bash",
    "--trace-env",
    "--trace-env-js-stack",
    "--trace-env-native-stack",
    "--trace-promises",
    "--trace-sigint",
    "--trace-tls",
  ].map((name) => [name, tracing] as const),
  ["--experimental-addon-modules", addons],
  ["--experimental-ffi", "native libraries are not loaded here"],
  ["--vfs-load", "the program is looked up in the machine's own files"],
  ["--vfs-mount", "the program is looked up in the machine's own files"],
]);

const hint = "speed or room only; the machine's own limits hold";
const nothingToDo = "concerns what a machine does not have";

/** Accepted: what they ask for is so already, or cannot be seen by a program. */
export const acceptedHints: ReadonlyMap<string, string> = new Map([
  ...[
    "--disable-wasm-trap-handler",
    "--node-snapshot",
    "--test-udp-no-try-send",
    "--use-largepages",
    "--worker-snapshot",
  ].map((name) => [name, hint] as const),
  ...[
    "--disable-sigusr1",
    "--enable-etw-stack-walking",
    "--force-context-aware",
    "--force-node-api-uncaught-exceptions-policy",
    "--report-on-fatalerror",
  ].map((name) => [name, nothingToDo] as const),
  ["--use-bundled-ca", "the default"],
]);

/** What the user reads when one of `values`, or of the flags of V8, is refused. */
export function refusal(
  values: ReadonlyMap<string, OptionValue>,
  v8: readonly string[],
): string | undefined {
  const given: [name: string, value: OptionValue][] = [...values];
  for (const flag of v8) {
    const name = flag.split("=", 1)[0]!.replaceAll("_", "-");
    given.push([name, true]);
  }
  for (const [name, value] of given) {
    const why = value === false ? undefined : refusedOptions.get(name);
    if (why !== undefined) return `${name} is not available in this virtual machine: ${why}`;
  }
  return undefined;
}
