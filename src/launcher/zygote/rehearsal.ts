/**
 * Owns the rehearsal: whole guest lives, played in the zygote over a socket to
 * itself before the first fork, so that a guest finds every function of its own
 * start compiled and with feedback instead of making both again in each process.
 *
 * Invariants: only texts written here run; no random number is drawn; afterwards
 * no handle, descriptor, global or module of a rehearsal is left.
 */
import { Channel } from "../../guest/channel.js";
import type { CallListeners } from "../../guest/channel.js";
import { guestWire } from "../../protocol/guest-calls.js";
import { ServingPort } from "../../protocol/port.js";
import { usualStart } from "../../protocol/usual-start.js";
import * as libc from "../../sandbox/libc.js";
import { SECCOMP_RET_ALLOW, buildStage2 } from "../../sandbox/seccomp.js";
import type { InternalBinding, RequireBuiltin } from "./engine-modules.js";

/**
 * What has run is compiled, which is most of what the first guests are spared; V8 allocates feedback at the eighth call,
 * and a few more let inline caches settle and have V8 compile what is called once in a life: that is for later.
 */
export const rehearsedLives = { beforeServing: 4, later: 16 } as const;

const source = `
import { join } from "node:path";
await null;
__return({ sum: 1 + 1, path: join("a", "b") });
`;
/** Lives in the zygote call a tool as well: what that needs is then compiled, and costs a guest no page that it does not write. */
const sourceWithTool = `${source}await callHostTool("tool", { number: 1, text: "a" });\n`;

const kernelPort = new ServingPort(guestWire);

/** The order that a guest in a rehearsal is given. */
export function startFrame(text = source): Buffer {
  return kernelPort.event("start", {
    options: JSON.stringify(usualStart),
    source: Buffer.from(text),
  });
}

/** Answers each call of a tool before it is asked. */
function toolListener(kernelEnd: number): CallListeners[number] {
  let calls = 0;
  return (name) => {
    if (name === undefined) return;
    const id = ++calls;
    if (name !== "callTool") return;
    const reply = kernelPort.reply({ name, id }, { ok: true, json: Buffer.from('{"number":1}') });
    libc.write(kernelEnd, reply, 0, reply.length);
  };
}

export interface RehearsalTools {
  internalBinding: InternalBinding;
  requireBuiltin: RequireBuiltin;
  callListeners: CallListeners;
  /** Makes `channel` the one that bindings use. */
  use(channel: Channel | undefined): void;
  /** What a forked guest does with its channel: waits for `start` and runs the program. */
  live(channel: Channel): Promise<unknown> | undefined;
  /** Takes back what `live` made of the process. */
  forget(): void;
}

export async function rehearse(tools: RehearsalTools, lives: number): Promise<void> {
  const loader = tools
    .requireBuiltin("internal/modules/esm/loader")
    .getOrInitializeCascadedLoader();
  const url = `file://${usualStart.path}`;
  const environment = { ...process.env };
  const globals = new Set(Reflect.ownKeys(globalThis));
  const drained = Buffer.alloc(64 * 1024);
  for (let life = 0; life < lives; life++) {
    const pair = libc.socketpair(libc.SOCK_STREAM, libc.SOCK_CLOEXEC | libc.SOCK_NONBLOCK);
    if (typeof pair === "number") throw new Error(`rehearsal: socketpair: errno ${-pair}`);
    const [guestEnd, kernelEnd] = pair;
    const channel = new Channel(guestEnd, tools.callListeners, () => {
      throw new Error("rehearsal: the channel closed");
    });
    tools.use(channel);
    channel.attach(tools.internalBinding);
    channel.event("ready", {});
    const start = startFrame(sourceWithTool);
    libc.write(kernelEnd, start, 0, start.length);
    const answering = toolListener(kernelEnd);
    tools.callListeners.push(answering);
    await tools.live(channel);
    tools.callListeners.splice(tools.callListeners.indexOf(answering), 1);
    // By the event loop, as everything after the start comes.
    const credit = kernelPort.event("credit", { fd: 1, bytes: 1 });
    libc.write(kernelEnd, credit, 0, credit.length);
    await new Promise<void>((resolve) => setImmediate(resolve));
    channel.writeOutput(1, Buffer.from("text\n"));
    channel.event("exit", { code: 0, again: false });
    libc.read(kernelEnd, drained, 0, drained.length);
    process.emit("rehearsal" as "beforeExit", 0);
    buildStage2({ pid: 1 });
    libc.seccompActionAvailable(SECCOMP_RET_ALLOW);
    await channel.detach();
    libc.close(kernelEnd);
    loader.loadCache.delete(url);
    for (const key of Reflect.ownKeys(globalThis)) {
      if (!globals.has(key)) delete (globalThis as Record<PropertyKey, unknown>)[key];
    }
    for (const name of Object.keys(process.env)) {
      if (!(name in environment)) delete process.env[name];
    }
    tools.forget();
  }
  tools.use(undefined);
}
