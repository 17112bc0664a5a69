/**
 * What every served import works on: one module instance's memory, descriptors,
 * arguments and environment, and the system below.
 */
import { FileType, allRights, directoryRights } from "./abi.js";
import { Descriptors, OpenFile } from "./descriptors.js";
import { ModuleMemory, encodeText } from "./memory.js";
import { Paths } from "./paths.js";
import type { WasiSystem } from "./system.js";

export interface Preopen {
  /** What the module calls it. */
  name: string;
  /** Absolute path. */
  path: string;
  confined: boolean;
  ambiguous?: boolean;
}

export interface WasiSettings {
  args: readonly string[];
  /** NAME=value. */
  env: readonly string[];
  /** The process's descriptors that become the module's 0, 1 and 2. */
  stdio: readonly [number, number, number];
  preopens: readonly Preopen[];
  /** Whether listings hold "." and "..", as those of POSIX do. */
  dotEntries: boolean;
}

/**
 * Serves one import. i64 parameters arrive as bigint, all others as number, which the engine sees to
 * by the module's types; what it returns is an errno, or nothing.
 */
export type Import = (...args: never[]) => number | bigint | void;
export type ImportTable = Readonly<Record<string, Import>>;

export class WasiContext {
  readonly memory = new ModuleMemory();
  readonly descriptors: Descriptors;
  readonly paths: Paths;
  readonly args: readonly Uint8Array[];
  readonly env: readonly Uint8Array[];
  /** Mode of the files that path_open creates, before the umask. */
  createMode = 0o666;

  constructor(
    readonly system: WasiSystem,
    readonly settings: WasiSettings,
  ) {
    this.descriptors = new Descriptors(system);
    this.paths = new Paths(system);
    this.args = settings.args.map(encodeText);
    this.env = settings.env.map(encodeText);
    settings.stdio.forEach((fd, number) => this.descriptors.addStandard(number, fd));
    for (const { name, path, confined, ambiguous } of settings.preopens) {
      const root = {
        confinedTo: confined ? path : undefined,
        name,
        ambiguous: ambiguous === true,
      };
      this.descriptors.add(
        new OpenFile(
          -1,
          FileType.directory,
          path,
          directoryRights,
          allRights,
          0,
          root,
          encodeText(name),
        ),
      );
    }
  }
}
