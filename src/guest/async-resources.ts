/**
 * Owns what the engine's AsyncWrap is to async hooks, for handles and requests of ours: an id, the
 * `init` hook where C++ would make the object, `destroy` where it would delete it. The hooks
 * around a callback are those of ./delivery.ts.
 */

import { handleClosed, handleOpened } from "./active-handles.js";
import { later } from "./turns.js";
import type { EngineTools } from "./environment.js";

/** Names of providers; NODE_ASYNC_PROVIDER_TYPES in src/async_wrap.h. */
export type Provider =
  | "DNSCHANNEL"
  | "FSEVENTWRAP"
  | "FSREQCALLBACK"
  | "GETADDRINFOREQWRAP"
  | "GETNAMEINFOREQWRAP"
  | "PIPECONNECTWRAP"
  | "PIPESERVERWRAP"
  | "PIPEWRAP"
  | "PROCESSWRAP"
  | "QUERYWRAP"
  | "SHUTDOWNWRAP"
  | "SIGNALWRAP"
  | "STATWATCHER"
  | "TCPCONNECTWRAP"
  | "TCPSERVERWRAP"
  | "TCPWRAP"
  | "TTYWRAP"
  | "UDPSENDWRAP"
  | "UDPWRAP"
  | "WRITEWRAP";

export interface AsyncIds {
  id: number;
  /** The id of what was running when it was made. */
  trigger: number;
  /** A request: its only callback is its end. */
  once: boolean;
}

interface Hooks {
  newAsyncId(): number;
  getDefaultTriggerAsyncId(): number;
  emitInit(id: number, type: string, trigger: number, resource: object): void;
  emitDestroy(id: number): void;
}

export interface EngineWrap {
  getAsyncId?(): number;
  asyncReset?(resource: object, id: number): void;
}

const ours = new WeakMap<object, AsyncIds>();
let hooks: Hooks;
let hookCounts: Uint32Array;
let constants: { kInit: number; kDestroy: number };

/** Once in each thread, before the first handle is made. */
export function installAsyncResources({ internalBinding, requireBuiltin }: EngineTools): void {
  hooks = requireBuiltin("internal/async_hooks") as Hooks;
  ({ async_hook_fields: hookCounts, constants } = internalBinding("async_wrap"));
}

function begin(
  type: Provider,
  resource: object,
  id: number,
  once: boolean,
  trigger = hooks.getDefaultTriggerAsyncId(),
): AsyncIds {
  const made = { id, trigger, once };
  ours.set(resource, made);
  hooks.emitInit(id, type, made.trigger, resource);
  return made;
}

/** A handle of ours is made. */
export function beginHandle(type: Provider, handle: object): void {
  begin(type, handle, hooks.newAsyncId(), false);
  handleOpened(type, handle);
}

/**
 * A request of ours is under way: the object that Node's JavaScript made for it. `cause` is the handle that counts
 * as its trigger, where C++ says so and not its caller.
 */
export function beginRequest(type: Provider, request: object, cause?: object): void {
  const trigger = cause === undefined ? undefined : ours.get(cause)?.id;
  begin(type, request, hooks.newAsyncId(), true, trigger);
}

/** Gives a handle that the engine made as something else, with `quietly`, the type that it has to Node. */
export function beginEngineHandle(type: Provider, handle: EngineWrap): void {
  begin(type, handle, handle.getAsyncId!(), false);
  handleOpened(type, handle as object);
}

/** Makes an object of the engine's without an `init` hook. */
export function quietly<T>(make: () => T): T {
  const listening = hookCounts[constants.kInit]!;
  hookCounts[constants.kInit] = 0;
  try {
    return make();
  } finally {
    hookCounts[constants.kInit] = listening;
  }
}

/** A handle is closed for good. */
export function endHandle(handle: EngineWrap): void {
  handleClosed(handle as object);
  end(handle, ours.get(handle)!.id);
}

/** A turn is under way behind which the engine has run the `destroy` hooks. */
let destroying = false;

/**
 * The engine runs `destroy` hooks before the immediates of a round and does not wait for them.
 * What ends during the immediates, where C++ would end it before, has one round more for that.
 */
function awaitDestroyHooks(): void {
  if (destroying) return;
  destroying = true;
  later(() => {
    destroying = false;
  });
}

function end(resource: EngineWrap, id: number): void {
  if (hookCounts[constants.kDestroy] === 0) return;
  awaitDestroyHooks();
  // Told by the engine, which with id 0 has nothing to tell when it deletes the object.
  // Most requests have the engine's class and no object of the engine's behind them.
  const engines = resource.asyncReset !== undefined && resource.getAsyncId!() > 0;
  if (engines) quietly(() => resource.asyncReset!(resource, 0));
  else hooks.emitDestroy(id);
}

/** The ids under which something is known to async hooks; undefined for what has none. */
export function asyncIdsOf(resource: EngineWrap | undefined): AsyncIds | undefined {
  if (resource === undefined) return undefined;
  const known = ours.get(resource);
  if (known !== undefined) return known;
  const id = typeof resource.getAsyncId === "function" ? resource.getAsyncId() : 0;
  // Of the engine's only requests of the file system come here.
  return id > 0 ? { id, trigger: id, once: true } : undefined;
}

/** `resource` has had a callback; a request has had its only one. */
export function endRequest({ id, once }: AsyncIds, resource: EngineWrap): void {
  if (once) end(resource, id);
}
