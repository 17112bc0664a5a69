// Runs a host under a filter that answers for a filter with a listener what a Linux without them does (EINVAL), or one
// where somebody above listens already (EBUSY). Takes the host's engine, a script for it, and the errno.
import { spawnSync } from "node:child_process";
import { compile, install } from "../../../dist/sandbox/seccomp.js";

const [host, script, errno] = process.argv.slice(2);
/** include/uapi/linux/seccomp.h */
const SECCOMP_FILTER_FLAG_NEW_LISTENER = 8;
const rule = {
  name: "seccomp",
  nr: { x64: 317, arm64: 277 },
  args: [{ arg: 1, width: "long", test: "oneOf", values: [SECCOMP_FILTER_FLAG_NEW_LISTENER] }],
  action: { errno: Number(errno) },
  why: "test",
};
const policy = { nativeOnly: false, otherwise: "allow", rules: [rule] };
install(compile(policy, process.arch, "compat").bytes);
const { stdout, stderr } = spawnSync(host, ["--input-type=module", "-e", script], {
  encoding: "utf8",
  timeout: 30_000,
});
console.log(JSON.stringify({ stdout, stderr }));
