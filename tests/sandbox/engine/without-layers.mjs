// Runs a host under a filter that refuses what containers refuse: namespaces and landlock. Takes the
// host's engine, a script for it, and the errnos of unshare and of landlock.
import { spawnSync } from "node:child_process";
import { compile, install } from "../../../dist/sandbox/seccomp.js";

const [host, script, unshare, landlock] = process.argv.slice(2);
const refuse = (name, nr, errno) => ({ name, nr, action: { errno: Number(errno) }, why: "test" });
const rules = [
  refuse("unshare", { x64: 272, arm64: 97 }, unshare),
  refuse("landlock_create_ruleset", { x64: 444, arm64: 444 }, landlock),
];
install(compile({ nativeOnly: false, otherwise: "allow", rules }, process.arch, "compat").bytes);
const { stdout, stderr } = spawnSync(host, ["--input-type=module", "-e", script], {
  encoding: "utf8",
  timeout: 30_000,
});
console.log(JSON.stringify({ stdout, stderr }));
