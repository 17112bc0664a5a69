/**
 * Owns a shell execution environment (POSIX XCU 2.12): everything a subshell
 * copies. Subshells, pipeline members and substitutions are clones that run in
 * the same process at the same time; nothing here may be shared between them
 * unless it is immutable.
 */
import type { Command } from "./ast.js";
import { DescriptorTable } from "./descriptors.js";
import { Separators } from "./fields.js";
import { JobTable } from "./jobs.js";
import { Options } from "./options.js";
import type { SignalName } from "./signals.js";
import type { ResourceLimit } from "./system.js";
import type { Variable } from "./variables.js";
import { VariableStore } from "./variables.js";

export interface GetoptsState {
  readonly index: number;
  readonly offset: number;
  readonly optind: Variable | undefined;
}

export class Environment {
  variables = new VariableStore();
  functions = new Map<string, Command>();
  aliases = new Map<string, string>();
  options = new Options();
  /** bash's `shopt` names that are on. */
  shellOptions = new Set<string>();
  descriptors = new DescriptorTable();
  jobs = new JobTable();
  /** The action of a signal; "" ignores it. */
  traps = new Map<SignalName, string>();
  /** Caught and not acted on yet. */
  readonly pendingSignals: SignalName[] = [];
  /** Called when a signal is caught: `wait` returns early. */
  wakeOnSignal: (() => void) | undefined;

  positional: string[] = [];
  /** `$0` */
  name = "sh";
  cwd = "/";
  umask = 0o022;
  /** What `ulimit` has set, by the numbers of RLIMIT_…. */
  resourceLimits: ReadonlyMap<number, ResourceLimit> = new Map();
  /** `$?` */
  status = 0;
  /** `$!` */
  backgroundPid: number | undefined;
  /** `$$`, also in subshells. */
  shellPid = 0;
  line = 1;

  loopDepth = 0;
  /** Functions, `.`, `eval` and traps inside each other. */
  callDepth = 0;
  /** Functions and `.` scripts that `return` can leave. */
  returnDepth = 0;
  isSubshell = false;
  /** While a trap's action runs: the status from before it, with which a bare `exit` leaves. */
  trapStatus: number | undefined;
  /** The status of the last command substitution of the command being expanded. */
  substitutionStatus: number | undefined;
  /** The word and the letter at which `getopts` stands, and the OPTIND it left. */
  getopts: GetoptsState = { index: 1, offset: 0, optind: undefined };

  #separators = new Separators(" \t\n");

  clone(): Environment {
    const copy = new Environment();
    copy.variables = this.variables.clone();
    copy.functions = new Map(this.functions);
    copy.aliases = new Map(this.aliases);
    copy.options = this.options.clone();
    copy.shellOptions = new Set(this.shellOptions);
    copy.descriptors = this.descriptors.clone();
    copy.jobs = this.jobs.forSubshell();
    for (const [signal, action] of this.traps) if (action === "") copy.traps.set(signal, action);
    copy.positional = this.positional;
    copy.name = this.name;
    copy.cwd = this.cwd;
    copy.umask = this.umask;
    copy.resourceLimits = this.resourceLimits;
    copy.status = this.status;
    copy.backgroundPid = this.backgroundPid;
    copy.shellPid = this.shellPid;
    copy.line = this.line;
    copy.loopDepth = this.loopDepth;
    copy.callDepth = this.callDepth;
    copy.returnDepth = this.returnDepth;
    copy.getopts = this.getopts;
    copy.isSubshell = true;
    return copy;
  }

  get separators(): Separators {
    const ifs = this.variables.value("IFS") ?? " \t\n";
    if (this.#separators.ifs !== ifs) this.#separators = new Separators(ifs);
    return this.#separators;
  }

  /** What joins `$*`. */
  get joiner(): string {
    const ifs = this.variables.value("IFS");
    return ifs === undefined ? " " : ifs.slice(0, 1);
  }

  /** Assigns, with `set -a` exporting. */
  assign(name: string, value: string): void {
    this.variables.set(name, value);
    if (this.options.has("allexport")) this.variables.setAttributes(name, { exported: true });
  }

  /** A path as the system takes it. */
  resolve(path: string): string {
    if (path.startsWith("/")) return path;
    return this.cwd.endsWith("/") ? this.cwd + path : `${this.cwd}/${path}`;
  }
}
