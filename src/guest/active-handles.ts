/**
 * Owns what process.getActiveResourcesInfo and process._getActiveHandles say of handles of ours: those that are
 * not closed and keep the event loop alive, which HandleWrap of src/handle_wrap.cc knows of the engine's own.
 */
import type { EngineTools } from "./environment.js";

interface OpenHandle {
  hasRef?(): boolean;
}

/** MemoryInfoName of the class behind a provider, where the two differ by more than letters. */
const classNames = new Map<string, string>([
  ["TCPWRAP", "TCPSocketWrap"],
  ["TCPSERVERWRAP", "TCPServerWrap"],
  ["PIPEWRAP", "PipeWrap"],
  ["PIPESERVERWRAP", "PipeWrap"],
  ["UDPWRAP", "UDPWrap"],
  ["TTYWRAP", "TTYWrap"],
  ["SIGNALWRAP", "SignalWrap"],
  ["PROCESSWRAP", "ProcessWrap"],
  ["FSEVENTWRAP", "FSEventWrap"],
  ["STATWATCHER", "StatWatcher"],
]);

/** In the order in which they were made. */
const open = new Map<OpenHandle, string>();

/** `provider` as async hooks call it; what is no handle there is none here. */
export function handleOpened(provider: string, handle: OpenHandle): void {
  const name = classNames.get(provider);
  if (name !== undefined) open.set(handle, name);
}

export function handleClosed(handle: OpenHandle): void {
  open.delete(handle);
}

const active = (): [handle: OpenHandle, name: string][] =>
  [...open].filter(([handle]) => handle.hasRef?.() !== false);

/** Names of what the engine has itself: requests, timers, handles that are none of ours. */
export let engineResources: () => string[] = () => [];

/** Once in each thread. */
export function installActiveHandles({ internalBinding, requireBuiltin }: EngineTools): void {
  const methods = internalBinding("process_methods");
  const { owner_symbol: owner } = requireBuiltin("internal/async_hooks").symbols;
  const { Pipe } = internalBinding("pipe_wrap");
  const { _getActiveHandles: engines, getActiveResourcesInfo: enginesInfo } = methods;
  engineResources = () => enginesInfo() as string[];
  // The engine's only pipe is the way to the kernel.
  const getActiveHandles = (): unknown[] => [
    ...(engines() as unknown[]).filter((handle) => !(handle instanceof Pipe)),
    ...active().map(([handle]) => (handle as Record<symbol, unknown>)[owner] ?? handle),
  ];
  const getActiveResourcesInfo = (): string[] => {
    const names = engineResources().filter((name) => name !== "PipeWrap");
    // Requests come first, timers last.
    const timers = names.findIndex((name) => name === "Timeout" || name === "Immediate");
    names.splice(timers < 0 ? names.length : timers, 0, ...active().map(([, name]) => name));
    return names;
  };
  for (const [name, value] of [
    ["_getActiveHandles", getActiveHandles],
    ["getActiveResourcesInfo", getActiveResourcesInfo],
  ] as const) {
    Object.defineProperty(value, "name", { value: name });
    methods[name] = value;
    (process as unknown as Record<string, unknown>)[name] = value;
  }
}
