// Preloaded by `SECURE_EXEC_TEST_FLEET=1 node scripts/test.mjs`: every machine that a test makes is one of a fleet,
// unless the test names a kernel process of its own, or a template: its machines are where the template is. Tests that cannot hold there are skipped, with the reason.
import { createRequire, syncBuiltinESMExports } from "node:module";
import { NodeRuntime } from "../../dist/index.js";
import { exceptionOf } from "./fleet-exceptions.mjs";

const servers = process.env.SECURE_EXEC_TEST_FLEET_SERVERS;
const create = NodeRuntime.create.bind(NodeRuntime);
NodeRuntime.create = (options) => {
  const isBag = Object.getPrototypeOf(options ?? {}) === Object.prototype && options !== null;
  const isPlaced = ["sidecar", "fleet", "template"].some((name) => options?.[name] !== undefined);
  if (!isBag || isPlaced) return create(options);
  return create({ fleet: { servers }, ...options });
};

const tester = createRequire(import.meta.url)("node:test");
const original = tester.test;
/** `test` with a skip for those on the list. */
const patched = (title, ...rest) => {
  const why = exceptionOf(process.argv[1] ?? "", String(title));
  if (why === undefined) return original(title, ...rest);
  return original(title, { skip: `over a fleet: ${why}` }, () => {});
};
tester.test = Object.assign(patched, original);
tester.it = tester.test;
syncBuiltinESMExports();
