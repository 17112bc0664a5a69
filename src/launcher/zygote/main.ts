/**
 * Owns the zygote: a warmed Node that forks one guest per request and reaps it.
 * It holds no tenant's data, draws no random numbers and has no libuv handle.
 *
 * The kernel process is trusted; what a guest sends never reaches this file before the fork,
 * and after it runs in the guest's own process.
 */
import { Channel } from "../../guest/channel.js";
import { keepInterruptHandler } from "../../guest/bindings/interrupts.js";
import { collectGarbage } from "../../guest/collect-garbage.js";
import { adoptPretence, pretend } from "../../guest/engine-flags.js";
import { forgetIdentity } from "../../guest/identity.js";
import { hideInternals } from "../../guest/public-modules.js";
import { renewEntropy } from "../../guest/entropy.js";
import { prepareFirstCallback } from "../../guest/first-callback.js";
import { resolveOrder } from "../../guest/programs/sole-command.js";
import type { Programs, Sources } from "../../guest/loader.js";
import { vmLimitTable } from "../../protocol/limits.js";
import { closeAllFrom } from "../../sandbox/descriptors.js";
import * as libc from "../../sandbox/libc.js";
import { rehearseLimits } from "../../sandbox/rlimits.js";
import { AddressSpace } from "../../sandbox/pages/address-space.js";
import { makeHeapContiguous } from "../../sandbox/pages/contiguous-heap.js";
import {
  EngineData,
  moveToHugePage,
  onHugePages,
  textRegions,
} from "../../sandbox/pages/huge-pages.js";
import { inheritTables } from "../../sandbox/pages/inherited-tables.js";
import { collapseHeaps, withoutHoles } from "../../sandbox/pages/huge-heap.js";
import type { PageList } from "../../sandbox/pages/page-map.js";
import { lockDown, lockDownTemplate, measureBase, prepareLockDown } from "./lock-down.js";
import { rehearseInDress } from "./dress-rehearsal.js";
import { begin, guestSocketFd } from "./bootstrap.js";
import { prepareLife } from "./guest-life.js";
import type { GuestLife } from "./guest-life.js";
import { rehearse, rehearsedLives } from "./rehearsal.js";
import type { RehearsalTools } from "./rehearsal.js";
import { rehearseCodeMode } from "./code-mode-rehearsal.js";
import { rehearseShell } from "./shell-rehearsal.js";
import { serve } from "./service.js";
import type { IdleStep } from "./service.js";
import { compileAsUsual, compileHotAtOnce } from "./hot-functions.js";
import { rehearseService } from "./service-rehearsal.js";
import { furtherWarmUp, warmUp, warmUpTypeScript } from "./warm-up.js";
import { addonsOrder, guestMemoryBytes } from "./control.js";
import type { CompiledForms } from "./compiled-forms.js";
import type { InternalBinding, RequireBuiltin } from "./engine-modules.js";

declare const internalBinding: InternalBinding;
declare const requireBuiltin: RequireBuiltin;

/** More than the engine takes to find a function hot. */
const rehearsedLimits = 200;

/** Its own pages, by a zygote: as often as the engine takes to compile what does it. */
const populatedForWarmth = 3;

/** What each guest is sent; one that may become a template gets one more. */
const guestDescriptorCount = 3;
const handoverFd = 4;

/** What a zygote's modules come from. */
interface Modules {
  readonly sources: Sources;
  readonly programs: Programs;
  readonly forms: CompiledForms | undefined;
  /** Loads a module and compiles it to the last function. */
  preload(id: string): void;
}

export function main(modules: Modules): void {
  begin(() => boot(modules));
}

async function boot(modules: Modules): Promise<void> {
  const { sources, forms } = modules;
  const space = AddressSpace.open();
  const saved = {
    compiledModules: forms?.used ?? 0,
    contiguousHeap: space !== undefined && makeHeapContiguous(space) > 0,
    hugeTextPages: 0,
    hugeHeapPages: 0,
    inheritedTexts: 0,
    pages: undefined as PageList | undefined,
  };
  if (forms?.pretence !== undefined) adoptPretence(forms.pretence);
  const life = await prepareLife(forms?.shared ? { forms: forms.shared } : { sources }, () =>
    warmUp(requireBuiltin),
  );
  const { callListeners, engineBinding, live, ordered, use } = life;

  // Early: its thread is gone by the lock-down.
  keepInterruptHandler();

  const data = space && new EngineData(space);
  data?.forget();
  const rehearsal = {
    internalBinding: engineBinding,
    requireBuiltin,
    callListeners,
    use,
    live,
    forget: forgetIdentity,
  };
  const startMain = prepareFirstCallback(internalBinding, true);
  life.prepareCopies(prepareFirstCallback(internalBinding, false), () => saved.pages?.populate());
  libc.prepareRandPoll();
  hideInternals(requireBuiltin);
  const memory = {
    memoryBytes: guestMemoryBytes,
    mostMemoryBytes: vmLimitTable.memoryBytes.most,
  };
  libc.makeHeapRoom();
  const prepared = prepareLockDown(memory);

  const idle = idleWork({ space, data, saved, modules, life, rehearsal });
  const become = (fds: readonly number[], kind = ""): Channel => {
    saved.pages?.populate();
    becomeGuest(fds);
    const guest = new Channel(guestSocketFd, callListeners, () => {
      libc._exit(1);
      throw new Error("unreachable");
    });
    use(guest);
    guest.attach(engineBinding);
    const options = { ...memory, addons: kind === addonsOrder };
    if (fds.length > guestDescriptorCount) lockDownTemplate(options, handoverFd);
    else lockDown(options);
    guest.event("ready", {});
    // Awaited here: what the event loop has read already, nobody could wait for.
    const order = resolveOrder({ channel: guest, requireBuiltin }, ordered(guest));
    startMain(() => void live(guest, order));
    return guest;
  };
  const measure = (): boolean => {
    if (space === undefined) return false;
    // What copies the pages is hot in each guest: compiled here, before it is told what a guest writes.
    for (let turn = 0; turn < 2; turn++) {
      saved.pages = saved.pages?.empty;
      const measured = rehearseInDress(space, become);
      if (measured === "guest") return true;
      saved.pages = measured;
      for (let time = 0; time < populatedForWarmth; time++) measured?.populate();
    }
    return false;
  };
  const first = async (): Promise<void> => {
    await rehearse(rehearsal, rehearsedLives.beforeServing);
    measureBase(false);
  };
  await serve({ prepared, first, ...idle, become, measure, saved });
}

type Steps = IdleStep[];

interface IdleTools {
  space: AddressSpace | undefined;
  data: EngineData | undefined;
  saved: { hugeTextPages: number; hugeHeapPages: number; inheritedTexts: number };
  modules: Modules;
  life: GuestLife;
  rehearsal: RehearsalTools;
}

/** What the zygote does while it has nothing to do, and has done when TypeScript comes. */
function idleWork({ space, data, saved, modules, life, rehearsal }: IdleTools): {
  idleSteps: Steps;
  typeScript: () => void;
} {
  const { preload, programs } = modules;
  const grow = (steps: Steps): Steps =>
    steps.map((step) => () => {
      pretend();
      const under = step();
      const measure = (): void => measureBase(idleSteps.length === 0);
      return under instanceof Promise ? under.then(measure) : measure();
    });
  const { textSteps, dataSteps } = hugePageSteps(space, () => saved.hugeTextPages++);
  // The very last: whatever a step leaves behind is pages that each fork copies the tables of.
  const settle = (): void => {
    const move = (): void => collectGarbage(requireBuiltin, { moveAll: true });
    if (space === undefined) move();
    else withoutHoles(space, move);
    // What was moved away from V8 keeps for later, and gives back at a last resort.
    collectGarbage(requireBuiltin, { lastResort: true });
    if (space !== undefined && saved.hugeTextPages > 0) saved.hugeHeapPages = collapseHeaps(space);
  };
  let usedData: readonly bigint[] = [];
  const idleSteps = grow([
    // Of what guests read, and before anything else reads more.
    () => void (usedData = data?.usedRegions() ?? []),
    () => collectGarbage(requireBuiltin, { moveAll: true }),
    () => compileHotAtOnce(requireBuiltin),
    () => rehearse(rehearsal, rehearsedLives.later),
    () => rehearseLimits(rehearsedLimits),
    ...furtherWarmUp(requireBuiltin, preload),
    () => rehearseShell({ requireBuiltin, ...life }),
    () => rehearseCodeMode(),
    () => rehearseService(requireBuiltin),
    () => {
      if (space !== undefined) programs.bytes = onHugePages(space, programs.bytes);
    },
    ...textSteps,
    () => void idleSteps.unshift(...grow(dataSteps(usedData))),
    () => {
      if (space !== undefined) saved.inheritedTexts = inheritTables(space);
    },
    settle,
  ]);
  const typeScript = (): void => {
    const [load, ...rest] = grow([() => warmUpTypeScript(requireBuiltin), settle]);
    // At once: until then, every guest that needs it takes the same time.
    void load!();
    idleSteps.push(...rest);
  };
  return { idleSteps, typeScript };
}

/** One step a huge page, until this Linux gives no more. */
function hugePageSteps(
  space: AddressSpace | undefined,
  movedText: () => void,
): { textSteps: Steps; dataSteps: (regions: readonly bigint[]) => Steps } {
  if (space === undefined) return { textSteps: [], dataSteps: () => [] };
  let given = true;
  const textSteps = textRegions(space).map((region) => () => {
    given &&= moveToHugePage(space, region, "text");
    if (given) movedText();
  });
  const dataSteps = (regions: readonly bigint[]): Steps =>
    regions.map((region) => () => {
      given &&= moveToHugePage(space, region, "data");
    });
  return { textSteps, dataSteps };
}

/**
 * First steps after the fork: no descriptor, entropy or loop state of the zygote survives.
 * `fds` are what the kernel process sent for this guest alone: its socket, its stderr, a null device, and
 * for one that may become a template the socket that its listener goes over.
 */
function becomeGuest(fds: readonly number[]): void {
  compileAsUsual(requireBuiltin);
  const [socket, stderr, nothing, handover] = fds;
  libc.setParentDeathSignal(libc.SIGKILL);
  libc.dup2(nothing!, 0);
  libc.dup2(nothing!, 1);
  libc.dup2(stderr!, 2);
  libc.dup2(socket!, guestSocketFd);
  if (handover !== undefined) libc.dup2(handover, handoverFd);
  // The zygote's loops, its other threads' and the copies above; the loop then makes its own anew.
  closeAllFrom((handover === undefined ? guestSocketFd : handoverFd) + 1);
  libc.uvLoopFork();
  renewEntropy(internalBinding);
  // Node's modules that it loads come out of Node's own forms, and so do those of its workers.
  pretend();
}
