// Where the cgroups of guests may be made, by the files of places as they are.
import assert from "node:assert/strict";
import { test } from "node:test";
import { guestCgroup } from "../../dist/sandbox/cgroup.js";

/** A line of mountinfo: what of the hierarchy is mounted where. */
const v2 = (from = "/") =>
  `30 21 0:26 ${from} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate`;
const root = "/sys/fs/cgroup";
const both = "cpuset cpu io memory pids\n";
const notDelegated = /^no delegated cgroup v2: SECURE_EXEC_CGROUP may name one/;

const places = {
  "a service of systemd's with Delegate=yes and DelegateSubgroup=": {
    files: {
      "/proc/self/cgroup": "0::/system.slice/agent.service/main\n",
      "/proc/self/mountinfo": v2(),
      [`${root}/system.slice/agent.service/cgroup.controllers`]: both,
    },
    delegated: [`${root}/system.slice/agent.service`],
    expected: { directory: `${root}/system.slice/agent.service` },
  },
  "the same without delegation, whose bounds guests would leave": {
    files: {
      "/proc/self/cgroup": "0::/system.slice/agent.service\n",
      "/proc/self/mountinfo": v2(),
      [`${root}/system.slice/cgroup.controllers`]: both,
    },
    why: notDelegated,
  },
  "delegated, without a controller that is needed": {
    files: {
      "/proc/self/cgroup": "0::/a.service/main\n",
      "/proc/self/mountinfo": v2(),
      [`${root}/a.service/cgroup.controllers`]: "cpu memory\n",
    },
    delegated: [`${root}/a.service`],
    why: /^no pids controller at /,
  },
  "a container with a cgroup namespace": {
    files: {
      "/proc/self/cgroup": "0::/\n",
      "/proc/self/mountinfo": v2(),
      [`${root}/cgroup.type`]: "domain\n",
      [`${root}/cgroup.controllers`]: both,
    },
    why: notDelegated,
  },
  "the root of all groups, as in a machine without systemd": {
    files: {
      "/proc/self/cgroup": "0::/\n",
      "/proc/self/mountinfo": v2(),
      [`${root}/cgroup.controllers`]: both,
    },
    expected: { directory: root },
  },
  "a container without a namespace, where only its own group is mounted": {
    files: {
      "/proc/self/cgroup": "0::/kubepods/pod1/c1/own/main\n",
      "/proc/self/mountinfo": v2("/kubepods/pod1/c1"),
      [`${root}/own/cgroup.controllers`]: both,
    },
    delegated: [`${root}/own`],
    expected: { directory: `${root}/own` },
  },
  "version 1 beside version 2 without controllers": {
    files: {
      "/proc/self/cgroup": "5:cpu,cpuacct:/a\n4:memory:/a\n0::/\n",
      "/proc/self/mountinfo": [
        "31 21 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
        "32 21 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
      ].join("\n"),
      "/sys/fs/cgroup/unified/cgroup.controllers": "\n",
    },
    why: /^no memory and pids controller at \/sys\/fs\/cgroup\/unified$/,
  },
  "no cgroups, or nothing that says so": { files: {}, why: /^no cgroup v2 in sight$/ },
  "turned off where it could be had": {
    named: "off",
    files: {
      "/proc/self/cgroup": "0::/\n",
      "/proc/self/mountinfo": v2(),
      [`${root}/cgroup.controllers`]: both,
    },
    why: /^not used: SECURE_EXEC_CGROUP is off$/,
  },
  "a directory that the host names": {
    named: `${root}/guests/`,
    files: { [`${root}/guests/cgroup.controllers`]: both },
    expected: { directory: `${root}/guests` },
  },
  "a directory that is none of cgroup v2": {
    named: "/tmp",
    files: {},
    why: /^\/tmp is no directory/,
  },
  "a relative one": { named: "guests", files: {}, why: /is no absolute path: guests$/ },
};

for (const [name, { named, files, delegated = [], expected, why }] of Object.entries(places))
  test(name, () => {
    const found = guestCgroup(named, {
      read: (path) => files[path],
      isDelegated: (path) => delegated.includes(path),
    });
    if (why === undefined) assert.deepEqual(found, expected);
    else assert.match(found.why, why);
  });
