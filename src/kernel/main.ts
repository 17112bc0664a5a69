/**
 * The kernel process: one connection to the SDK, the VMs, the guests, wired together here.
 *
 * It dies with its host: at end of file on the connection, or by signal when the
 * host is killed. Everything below it dies with it the same way.
 */
import { Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import type { DecisionList } from "../protocol/decisions.js";
import type { LimitWarning } from "../protocol/host-calls.js";
import type { IsolationReport } from "../protocol/isolation.js";
import { startGuests } from "./guest-pool.js";
import { Turns } from "./guest-door/turns.js";
import { HostDoor } from "./host-door/door.js";
import { HostHandlers } from "./host-door/handlers.js";
import { rehearse } from "./host-door/rehearsal.js";
import { ProviderRequests } from "./host-door/provider-requests.js";
import { HostRequests } from "./host-door/requests.js";
import { lockKernelDown } from "./lock-down.js";
import { sayLastWords } from "./last-words.js";
import { answer, answered } from "./syscalls/dispatch.js";

const { cgroup, engines, pool } = startGuests();

const hostFd = 3;

function lockedDown(): IsolationReport[] {
  try {
    return lockKernelDown();
  } catch (error) {
    return sayLastWords(error);
  }
}

const isolation = lockedDown();

// What lives in the old generation may become four times as much before it is collected, by default: of what all machines'
// objects leave behind, that is more than one machine may occupy. A collection takes some milliseconds. Not on the command
// line: the engine takes none of the compiled forms of Node's modules under a flag that they were not made under.
setFlagsFromString("--heap-growing-percent=30");

const door = new HostDoor(new Socket({ fd: hostFd, readable: true, writable: true }));
const { emit } = door;
const requests = new HostRequests({
  judge: (vm, id, scope, list) => emit("judge", { vm, id, scope, requests: list }),
  toolCall: (vm, id, name, input, more) => emit("toolCall", { vm, id, name, input, more }),
  toolNext: (vm, id, stream, stop) => emit("toolNext", { vm, id, stream, stop }),
  toolCancel: (vm, id) => emit("toolCancel", { vm, id }),
  outward: (vm, id, request) => emit("outward", { vm, id, request }),
  isBehind: () => door.isBehind,
});
const providers = new ProviderRequests({
  provide: (vm, id, provider, question, data, more) =>
    emit("provide", { vm, id, provider, question, data, more }),
  provideCancel: (vm, id) => emit("provideCancel", { vm, id }),
  isBehind: () => door.isBehind,
});
const turns = new Turns(() => door.isStuck);
const warn = (vm: number, warning: LimitWarning): void =>
  emit("limitWarning", { vm, warning: JSON.stringify(warning) });
const decided = (vm: number, list: DecisionList): void =>
  emit("decisions", { vm, list: JSON.stringify(list) });
const services = {
  requests,
  providers,
  turns,
  guests: pool,
  engines,
  answer,
  answered,
  warn,
  decided,
};
const host = new HostHandlers(pool, services, emit, () => [...isolation, cgroup()]);

// The socket to the host keeps it alive: an end without one of the host's would be silent otherwise.
process.on("beforeExit", () => {
  throw new Error("the kernel process has nothing to wait for");
});

let serves = false;
const started = pool.start();
// What the host asks for already is made, and it hears of that when there can be programs.
door.serve(
  host.calls,
  host.events,
  {
    closed: () => process.exit(0),
    drained: () => {
      requests.drained();
      providers.drained();
      turns.release();
    },
  },
  started,
);
started.then(() => (serves = true), sayLastWords);
// While the zygote starts, but behind what the host asks for already: the second turn comes when its calls were read.
setImmediate(() => setImmediate(() => serves || rehearse(services)));
