/**
 * Owns the order in which one thread's bindings become virtual: the zygote's, for
 * every main thread forked from it, and that of each worker. Nothing of a program
 * has run in the thread; nothing here protects anything.
 */
import { installCertificates } from "./bindings/certificates.js";
import { installCredentials } from "./bindings/credentials.js";
import { installCares } from "./bindings/cares.js";
import { installDiagnostics } from "./bindings/diagnostics.js";
import { installDenials } from "./bindings/denied.js";
import { installFileHandleTransfer } from "./bindings/file-handle-transfer.js";
import { installInterrupts } from "./bindings/interrupts.js";
import { installFs } from "./bindings/fs.js";
import { installOs } from "./bindings/os.js";
import { installModules } from "./bindings/modules.js";
import { installPipes } from "./bindings/pipe.js";
import { installProcess } from "./bindings/process.js";
import { installReport } from "./bindings/report.js";
import { installSignals } from "./bindings/signal.js";
import { installSocketHandles } from "./bindings/socket-handle.js";
import { installSpawnSync } from "./bindings/spawn-sync.js";
import { installSqlite } from "./bindings/sqlite.js";
import { installStreams } from "./bindings/stream-handle.js";
import { installTcp } from "./bindings/tcp.js";
import { installTty } from "./bindings/tty.js";
import { installActiveHandles } from "./active-handles.js";
import { installAsyncResources } from "./async-resources.js";
import { installTurns } from "./turns.js";
import { installUdp } from "./bindings/udp.js";
import { installWasi } from "./bindings/wasi.js";
import { installWorker } from "./bindings/worker.js";
import type { CallListeners, Channel } from "./channel.js";
import { installDelivery } from "./delivery.js";
import { installEngineStream } from "./engine-stream.js";
import type { EngineTools, GuestEnvironment, WorkerTools } from "./environment.js";
import { installEnvFiles } from "./env-file.js";
import { installIdentity } from "./identity.js";
import { installMemoryUsage } from "./memory-usage.js";
import { installProcessFunctions } from "./process-functions.js";
import * as libc from "../sandbox/libc.js";
import { installTitle } from "./title.js";
import type { InternalBinding } from "./engine-types.js";

export interface ThreadTools extends EngineTools, WorkerTools {
  channel(): Channel;
  /** What its channels tell of their calls. */
  callListeners: CallListeners;
}

export interface InstalledBindings {
  /** Bindings as the engine has them, for the channel itself. */
  engineBinding: InternalBinding;
}

type Install = (environment: GuestEnvironment) => void;

/** What others take from when they are installed comes before them; then what a stream is, before all that are streams. */
const inOrder: readonly Install[] = [
  installTurns,
  installAsyncResources,
  installDelivery,
  installEngineStream,
  installMemoryUsage,
  installOs,
  installProcessFunctions,
  installIdentity,
  installTitle,
  installSignals,
  installInterrupts,
  installFs,
  installFileHandleTransfer,
  installModules,
  installActiveHandles,
  installStreams,
  installSocketHandles,
  installPipes,
  installTcp,
  installUdp,
  installTty,
  installCares,
  installProcess,
  installSpawnSync,
  installWorker,
  installWasi,
  installReport,
  installDiagnostics,
  installSqlite,
  installCertificates,
  installCredentials,
  installEnvFiles,
  installDenials,
];

export function installBindings(tools: ThreadTools): InstalledBindings {
  const { internalBinding, requireBuiltin, channel } = tools;
  const environment: GuestEnvironment = {
    internalBinding,
    requireBuiltin,
    kernel: {
      call: (name, args, explain, own) => channel().call(name, args, explain, own),
      callAsync: (name, args, done) => channel().callAsync(name, args, done),
      event: (name, args) => channel().event(name, args),
      flowWrite: (flow, chunks, bytes) => channel().flowWrite(flow, chunks, bytes),
      flowText: (flow, text, encoding, bytes) => channel().flowText(flow, text, encoding, bytes),
      on: (name, handler) => channel().on(name, handler),
      onCall: (listener) => void tools.callListeners.push(listener),
      ref: () => channel().ref(),
      unref: () => channel().unref(),
    },
    writeOutput: (fd, data) => channel().writeOutput(fd, data),
    isHostOutput: (fd) => channel().isHostOutput(fd),
    forgetOutput: (fd) => channel().forgetOutput(fd),
    openImage: (fd, library) => channel().callForDescriptor("image", { fd, library }),
    openThreadSocket: () => channel().openThreadSocket(),
    closeSocket: (fd) => void libc.close(fd),
    channel,
    workers: { slots: tools.slots, modules: tools.modules, ownFlags: () => tools.ownFlags() },
  };
  // The socket to the kernel is a pipe of the engine's own.
  const enginePipes = { ...internalBinding("pipe_wrap") };
  for (const install of inOrder) install(environment);
  return {
    engineBinding: (name) => (name === "pipe_wrap" ? enginePipes : internalBinding(name)),
  };
}
