// Where the memory controller of this process is, from trees as places have them that this machine is none of.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cgroupDirectory } from "../../dist/sandbox/probe.js";

const root = "21 1 8:1 / / rw - ext4 /dev/sda1 rw";
const unified = (from) =>
  `30 21 0:26 ${from} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate`;
const found = (files) => cgroupDirectory((path) => files[path]);

const places = {
  "a service of systemd, delegated": [
    {
      "/proc/self/cgroup": "0::/system.slice/agent.service\n",
      "/proc/self/mountinfo": [root, unified("/")].join("\n"),
      "/sys/fs/cgroup/system.slice/agent.service/cgroup.controllers": "cpu memory pids\n",
    },
    { directory: "/sys/fs/cgroup/system.slice/agent.service", version: 2 },
  ],
  "a container with a cgroup namespace": [
    {
      "/proc/self/cgroup": "0::/\n",
      "/proc/self/mountinfo": [root, unified("/")].join("\n"),
      "/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
    },
    { directory: "/sys/fs/cgroup", version: 2 },
  ],
  "a container that is shown a part of the host's tree": [
    {
      "/proc/self/cgroup": "0::/kubepods/pod1/c1/own\n",
      "/proc/self/mountinfo": [root, unified("/kubepods/pod1/c1")].join("\n"),
      "/sys/fs/cgroup/own/cgroup.controllers": "memory\n",
    },
    { directory: "/sys/fs/cgroup/own", version: 2 },
  ],
  "a session that no memory controller was delegated to": [
    {
      "/proc/self/cgroup": "0::/user.slice/session-1.scope\n",
      "/proc/self/mountinfo": [root, unified("/")].join("\n"),
      "/sys/fs/cgroup/user.slice/session-1.scope/cgroup.controllers": "cpu pids\n",
    },
    undefined,
  ],
  "version 1, with an empty tree of version 2 beside it": [
    {
      "/proc/self/cgroup": "5:cpu,cpuacct:/a\n4:memory:/a\n0::/a\n",
      "/proc/self/mountinfo": [
        root,
        "31 21 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
        "32 21 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
      ].join("\n"),
      "/sys/fs/cgroup/unified/a/cgroup.controllers": "\n",
    },
    { directory: "/sys/fs/cgroup/memory/a", version: 1 },
  ],
  "no cgroups, or nothing that says so": [{}, undefined],
};

for (const [name, [files, expected]] of Object.entries(places))
  test(name, () => assert.deepEqual(found(files), expected));
