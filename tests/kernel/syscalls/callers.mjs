// A caller of system calls without a guest behind it: the kernel's own tables, and no process of Linux.
import assert from "node:assert/strict";
import { noLimit } from "../../../dist/abi/resources.js";
import { FileSystem } from "../../../dist/kernel/fs/index.js";
import { Deferred } from "../../../dist/kernel/io/deferred.js";
import { Transit } from "../../../dist/kernel/io/transit.js";
import { Account } from "../../../dist/kernel/machine/account.js";
import { Denial } from "../../../dist/kernel/policy/decision.js";
import { Policy } from "../../../dist/kernel/policy/policy.js";
import { Bill } from "../../../dist/kernel/process/bill.js";
import { DescriptorTable } from "../../../dist/kernel/process/descriptors.js";
import { answer, answered } from "../../../dist/kernel/syscalls/dispatch.js";

const open = {
  fs: "allow",
  network: "allow",
  childProcess: "allow",
  process: "allow",
  env: "allow",
  tool: "allow",
};

/**
 * A caller, and `call(name, args)`: the result, -errno, the words of a denial, or a `Deferred`. `machine` makes what else
 * its calls find in their VM, and `own` what else in the process.
 */
export function callerOf({
  policies = {},
  ask,
  uid = 1000,
  descriptors = 64,
  fs,
  machine = () => ({}),
  own = {},
} = {}) {
  const account = new Account();
  const caller = {
    pid: 7,
    argv: ["node"],
    fs: fs ?? new FileSystem(),
    account,
    vm: { transit: new Transit(account) },
    credentials: { uid, gid: uid, umask: 0o022, cwd: "/" },
    policy: new Policy({ ...open, ...policies }, ask ?? (() => assert.fail("nobody is asked"))),
    descriptors: new DescriptorTable(descriptors),
    bill: new Bill(),
    brokenPipes: 0,
    brokenPipe: () => void caller.brokenPipes++,
    fileBytes: noLimit,
    filesTooLong: 0,
    fileTooLong: () => void caller.filesTooLong++,
    mayRead: () => 0,
    mayWrite: () => 0,
    openTerminal: () => undefined,
    ...own,
  };
  Object.assign(caller.vm, machine(caller));
  const call = (name, args = {}) => {
    const result = answer(caller, { name, args });
    if (typeof result === "object" && !(result instanceof Deferred || result instanceof Denial))
      answered(caller, { name, args }, result);
    return result instanceof Denial ? result.message : result;
  };
  return { caller, call };
}

/** What a late answer has come to so far: nothing, or one value. */
export function seen(later) {
  const values = [];
  later.whenSettled((value) => values.push(value instanceof Denial ? value.message : value));
  return values;
}
