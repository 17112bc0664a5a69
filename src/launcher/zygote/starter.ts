/**
 * Owns the process that executes an engine for each guest that needs one of its own: it has left the
 * host as a zygote has, and its children differ from a zygote's only in that they begin anew, with
 * flags of the guest's choice. What such an engine does then is ./own-engine.ts.
 *
 * The kernel process is trusted, and has checked the flags; no guest's byte but them comes here. Each
 * child is confined before the engine runs: namespaces, user, landlock, rlimits, no_new_privs; the
 * system-call filter follows before the guest's first byte.
 */
import type { Loader } from "../../guest/loader.js";
import type { EngineOrder } from "../../protocol/engine-start.js";
import { closeAllFrom } from "../../sandbox/descriptors.js";
import { execute } from "../../sandbox/engine-root.js";
import type { EngineFiles } from "../../sandbox/engine-root.js";
import { landlockEverything } from "../../sandbox/landlock.js";
import * as libc from "../../sandbox/libc.js";
import { IsolationUnavailable } from "../../sandbox/unavailable.js";
import { begin, bundleFd, ownBootstrap, programsFd, statusFd } from "./bootstrap.js";
import { addonsOrder } from "./control.js";
import { prepareStarter } from "./lock-down.js";
import { serve } from "./service.js";

/** Of every such engine: reach the bindings, hidden again before the program; no inspector by signal. */
const engineFlags = ["--expose-internals", "--disable-sigusr1"];
/** The engine's file in a child, until it has become its program. */
const engineFd = statusFd + 1;
/** Descriptors are put here while their places are taken; below RLIMIT_NOFILE. */
const parkedFrom = 110;

/** Called by guest/loader.ts, once. */
export function start(_loader: Loader): void {
  begin(boot);
}

function boot(): Promise<void> {
  const proc = libc.openReadOnly("/proc");
  const { prepared, files } = prepareStarter();
  const landlocked = prepared.layers.some(({ layer, active }) => layer === "landlock" && active);
  const kit = { files, landlocked, proc };
  return serve({
    prepared,
    idleSteps: [],
    saved: {
      compiledModules: 0,
      contiguousHeap: false,
      hugeTextPages: 0,
      hugeHeapPages: 0,
      inheritedTexts: 0,
      pages: undefined,
    },
    become: (fds, order) => become(fds, JSON.parse(order) as EngineOrder, kit),
  });
}

interface Kit {
  /** Whether this Linux has landlock. */
  readonly landlocked: boolean;
  /** The host's /proc, opened before this process left it. */
  readonly proc: number;
  readonly files: EngineFiles;
}

/** In the child: it becomes the engine, or says why not and ends. */
function become(fds: readonly number[], order: EngineOrder, kit: Kit): never {
  const { files, landlocked, proc } = kit;
  libc.setParentDeathSignal(libc.SIGKILL);
  const status = libc.openReadOnlyAt(proc, "self/status");
  const engine = libc.openReadOnly(files.engine);
  const locked = landlockEverything([files.engine, ...files.libraries]);
  const [socket, stderr, nothing] = fds;
  place([nothing!, nothing!, stderr!, socket!, bundleFd, programsFd, status, engine]);
  const argv = [
    "node",
    ...engineFlags,
    ...order.flags,
    "-e",
    ownBootstrap,
    String(order.memoryBytes),
    ...(order.nativeAddons ? [addonsOrder] : []),
  ];
  begin(() => {
    if (landlocked && typeof locked === "string")
      throw new IsolationUnavailable("landlock", locked);
    const failed = status < 0 ? status : execute(engineFd, argv);
    throw new Error(`the engine could not be executed: errno ${-failed}`);
  });
  return libc._exit(1);
}

/** Gives each descriptor the number of its index, and closes all others. */
function place(fds: readonly number[]): void {
  fds.forEach((fd, to) => libc.dup2(fd, parkedFrom + to));
  fds.forEach((_fd, to) => libc.dup2(parkedFrom + to, to));
  closeAllFrom(fds.length);
  libc.setCloseOnExec(engineFd, true);
}
