// Runs a host under a filter that answers seccomp(2) as a kernel without it does.
import { spawnSync } from "node:child_process";
import { compile, install } from "../../../dist/sandbox/seccomp.js";

const [host, script] = process.argv.slice(2);
const rule = { name: "seccomp", nr: { x64: 317, arm64: 277 }, action: { errno: 38 }, why: "test" };
const policy = { nativeOnly: false, otherwise: "allow", rules: [rule] };
install(compile(policy, process.arch, "compat").bytes);
const { stdout, stderr } = spawnSync(host, ["--input-type=module", "-e", script], {
  encoding: "utf8",
  timeout: 20_000,
});
console.log(JSON.stringify({ stdout, stderr }));
