// The tables and the programs for both architectures, as data for the host's tests.
import { ADDONS } from "../../../dist/sandbox/addon-policy.js";
import { STAGE1, STAGE2 } from "../../../dist/sandbox/policy.js";
import { buildStage2, compile } from "../../../dist/sandbox/seccomp.js";

const programs = {};
for (const arch of ["x64", "arm64"]) {
  for (const mode of ["compat", "strict"]) {
    programs[`${arch} ${mode}`] = compile(STAGE2, arch, mode).bytes.toString("base64");
  }
  programs[`${arch} stage1`] = compile(STAGE1, arch, "compat").bytes.toString("base64");
}
programs["x64 addons"] = compile(ADDONS, "x64", "compat").bytes.toString("base64");
const patched = buildStage2({ pid: 4242 });
const again = buildStage2({ pid: 4243 });
const refused = [0, -1, 1.5, NaN].map((pid) => {
  try {
    buildStage2({ pid });
    return false;
  } catch {
    return true;
  }
});
console.log(
  JSON.stringify({
    stage2: STAGE2.rules,
    programs,
    patched: patched.toString("base64"),
    again: again.toString("base64"),
    refused,
  }),
);
