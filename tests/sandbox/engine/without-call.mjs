// Runs a host under a filter that answers one system call as a Linux without it does.
import { spawnSync } from "node:child_process";
import { compile, install } from "../../../dist/sandbox/seccomp.js";

const [host, script, name, x64, arm64] = process.argv.slice(2);
const nr = { x64: Number(x64), arm64: Number(arm64) };
const rule = { name, nr, action: { errno: 38 }, why: "test" };
const policy = { nativeOnly: false, otherwise: "allow", rules: [rule] };
install(compile(policy, process.arch, "compat").bytes);
const { stdout, stderr } = spawnSync(host, ["--input-type=module", "-e", script], {
  encoding: "utf8",
  timeout: 20_000,
});
console.log(JSON.stringify({ stdout, stderr }));
