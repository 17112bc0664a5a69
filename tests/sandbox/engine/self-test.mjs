// The zygote's self-test with lock-downs that hold, do nothing, hold back one rule, throw or die.
import * as libc from "../../../dist/sandbox/libc.js";
import { STAGE2 } from "../../../dist/sandbox/policy.js";
import { buildStage2, compile, install } from "../../../dist/sandbox/seccomp.js";
import { IsolationUnavailable } from "../../../dist/sandbox/unavailable.js";
import { selfTest } from "../../../dist/sandbox/self-test.js";

libc.setParentDeathSignal(libc.SIGKILL);

function verdict(lockDown) {
  try {
    selfTest(lockDown)()();
    return "proven";
  } catch (error) {
    return `${error.constructor.name} ${error.message}`;
  }
}

/** The policy with one call let through. */
function leaking(name) {
  const rules = STAGE2.rules.filter((rule) => rule.name !== name);
  const nr = { execve: { x64: 59, arm64: 221 } }[name];
  const kept = STAGE2.rules.find((rule) => rule.name === name);
  const allowed = { name, nr: nr ?? kept.nr, action: "allow", why: "test" };
  const policy = { ...STAGE2, rules: [...rules, allowed] };
  return () => install(compile(policy, process.arch, "compat").bytes);
}

const startedAt = performance.now();
const whole = verdict(() => install(buildStage2({ pid: libc.getpid() })));
const tookMs = performance.now() - startedAt;
const results = {
  whole,
  none: verdict(() => undefined),
  throwing: verdict(() => {
    throw new IsolationUnavailable("no_new_privs", "errno 38");
  }),
  dying: verdict(() => libc._exit(0)),
};
for (const name of ["openat", "socket", "kill", "execve"]) results[name] = verdict(leaking(name));
console.log(JSON.stringify({ results, tookMs }));
