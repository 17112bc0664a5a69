/**
 * Owns a shell execution environment (POSIX XCU 2.12): everything a subshell
 * copies. Subshells, pipeline members and substitutions are clones that run in
 * the same process at the same time; nothing here may be shared between them
 * unless it is immutable.
 */
import { RLIMIT_FSIZE } from "../../abi/resources.js";
import type { ResourceLimit } from "../../abi/resources.js";
import { evaluateArithmetic } from "./arithmetic.js";
import type { Command } from "./ast.js";
import type { Frame } from "./call-stack.js";
import { DescriptorTable } from "./descriptors.js";
import { dynamicVariables } from "./dynamic-variables.js";
import { Separators } from "./fields.js";
import type { Interpreter } from "./interpreter.js";
import type { Turn } from "./in-turn.js";
import { JobTable } from "./jobs.js";
import { Options } from "./options.js";
import { arithmeticScope, elementKey } from "./parameters.js";
import type { TrapName } from "./signals.js";
import type { ForegroundJob } from "./terminal.js";
import type { Variable } from "./variables.js";
import { VariableStore } from "./variables.js";

export interface GetoptsState {
  readonly index: number;
  readonly offset: number;
  readonly optind: Variable | undefined;
}

export interface ShellFunction {
  readonly body: Command;
  /** The file that defined it. */
  readonly source: string;
  readonly line: number;
  readonly exported?: boolean;
  readonly readonly?: boolean;
  /** `declare -t`: it inherits the DEBUG and RETURN traps. */
  readonly traced?: boolean;
}

/** Names of subshells, which have no process: beyond every number that a process can have. */
const FIRST_SUBSHELL_PID = 1 << 22;
let subshells = 0;

export class Environment {
  variables = new VariableStore();
  functions = new Map<string, ShellFunction>();
  aliases = new Map<string, string>();
  /** Rules of `complete`: what `complete -p` prints for each name. */
  completions = new Map<string, string>();
  options = new Options();
  /** bash's `shopt` names that are on. */
  shellOptions = new Set<string>();
  /** What `enable -n` has switched off. */
  disabledBuiltins = new Set<string>();
  descriptors = new DescriptorTable();
  /** Numbers that process substitutions take while a command runs. */
  readonly temporaryDescriptors: number[] = [];
  jobs = new JobTable();
  /** The job in the foreground that what this environment starts is part of. */
  foregroundJob: ForegroundJob | undefined;
  /** The action of a signal; "" ignores it. */
  traps = new Map<TrapName, string>();
  /** What `trap` alone still shows in a subshell that inherited nothing of it. */
  inheritedTraps: ReadonlyMap<TrapName, string> | undefined;
  /** Caught and not acted on yet. */
  readonly pendingSignals: TrapName[] = [];
  /** Called when a signal is caught: `wait` returns early. */
  wakeOnSignal: (() => void) | undefined;

  positional: string[] = [];
  /** `$0` */
  name = "sh";
  cwd = "/";
  /** `pushd`'s, without the working directory. */
  directoryStack: readonly string[] = [];
  umask = 0o022;
  /** What `ulimit` has set, by the numbers of RLIMIT_…. */
  resourceLimits: ReadonlyMap<number, ResourceLimit> = new Map();
  /** `$?` */
  status = 0;
  /** PIPESTATUS */
  pipeStatus: readonly number[] = [0];
  /** Substitutions and `eval` inside each other, which `set -x` shows. */
  traceDepth = 0;
  /** `$!` */
  backgroundPid: number | undefined;
  /** `$$`, also in subshells. */
  shellPid = 0;
  /** `$BASHPID` of a subshell. */
  subshellPid: number | undefined;
  subshellDepth = 0;
  line = 1;
  /** `$_` */
  lastArgument = "";
  /** What a signal has ended, until bash says so. */
  killed: { readonly pid: number; readonly signal: number } | undefined;
  /** The signal that would have ended it, had it a process of its own; 0 for none. */
  killedBy = 0;
  /** `$BASH_COMMAND`, when somebody asks. */
  commandText: (() => string) | undefined;
  /** `$RANDOM`; the seed is drawn when somebody asks, as a rehearsed shell must draw nothing. */
  random: { seed: number | undefined; last: number } = { seed: undefined, last: 0 };
  /** What an assignment to SECONDS added. */
  secondsOffset = 0;
  /** Where the text that is being run comes from, in bash's syntax errors: "-c: ", "eval: ". */
  textOrigin = "";
  /** Below a text that was given as `-c`. */
  fromArgument = false;

  loopDepth = 0;
  /** Functions, `.`, `eval` and traps inside each other. */
  callDepth = 0;
  /** Functions and `.` scripts that `return` can leave. */
  returnDepth = 0;
  /** The innermost function or sourced file. */
  frame: Frame | undefined;
  isSubshell = false;
  /** A member of a pipeline whose members run in turn; see in-turn.ts. */
  turn: Turn | undefined;
  /** What the options were before the function said `local -`. */
  localOptions: Options | undefined;
  /** While a trap's action runs: the status from before it, with which a bare `exit` leaves. */
  trapStatus: number | undefined;
  /** The action of ERR, DEBUG or RETURN that runs: it does not set off itself. */
  activeTrap: TrapName | undefined;
  /** The status of the last command substitution of the command being expanded. */
  substitutionStatus: number | undefined;
  /** The word and the letter at which `getopts` stands, and the OPTIND it left. */
  getopts: GetoptsState = { index: 1, offset: 0, optind: undefined };

  #separators = new Separators(" \t\n");

  constructor(readonly shell: Interpreter) {
    this.#attach();
  }

  /** RLIMIT_FSIZE of what is written here. */
  get fileBytes(): number {
    const own = this.resourceLimits.get(RLIMIT_FSIZE) ?? this.shell.system.getrlimit(RLIMIT_FSIZE);
    return typeof own === "number" ? Infinity : own.soft;
  }

  #attach(): void {
    if (this.shell.bash) this.variables.attach(dynamicVariables, { shell: this.shell, env: this });
  }

  clone(): Environment {
    const copy = new Environment(this.shell);
    copy.variables = this.variables.clone();
    copy.#attach();
    copy.functions = new Map(this.functions);
    copy.aliases = new Map(this.aliases);
    copy.completions = new Map(this.completions);
    copy.options = this.options.clone();
    copy.shellOptions = new Set(this.shellOptions);
    copy.disabledBuiltins = new Set(this.disabledBuiltins);
    copy.descriptors = this.descriptors.clone();
    copy.jobs = this.jobs.forSubshell(this.shell.bash);
    for (const [signal, action] of this.traps) {
      if (action === "" || this.#inherits(signal)) copy.traps.set(signal, action);
    }
    if (this.shell.bash) {
      copy.inheritedTraps = this.traps.size > 0 ? new Map(this.traps) : this.inheritedTraps;
    }
    copy.positional = this.positional;
    copy.name = this.name;
    copy.cwd = this.cwd;
    copy.directoryStack = this.directoryStack;
    copy.umask = this.umask;
    copy.resourceLimits = this.resourceLimits;
    copy.status = this.status;
    copy.pipeStatus = this.pipeStatus;
    copy.traceDepth = this.traceDepth;
    copy.backgroundPid = this.backgroundPid;
    copy.shellPid = this.shellPid;
    copy.subshellPid = FIRST_SUBSHELL_PID + (subshells += 1);
    copy.subshellDepth = this.subshellDepth + 1;
    copy.line = this.line;
    copy.lastArgument = this.lastArgument;
    copy.commandText = this.commandText;
    copy.secondsOffset = this.secondsOffset;
    copy.textOrigin = this.textOrigin;
    copy.fromArgument = this.fromArgument;
    copy.loopDepth = this.loopDepth;
    copy.callDepth = this.callDepth;
    copy.returnDepth = this.returnDepth;
    copy.frame = this.frame;
    copy.activeTrap = this.activeTrap;
    copy.getopts = this.getopts;
    copy.isSubshell = true;
    copy.foregroundJob = this.foregroundJob;
    return copy;
  }

  /** Whether functions and subshells have this trap as well. */
  #inherits(trap: TrapName): boolean {
    if (trap === "ERR") return this.options.has("errtrace");
    return (trap === "DEBUG" || trap === "RETURN") && this.options.has("functrace");
  }

  /** Takes the traps that a function does not inherit away; what puts them back. */
  suspendTraps(traced: boolean): () => void {
    const suspended: [TrapName, string][] = [];
    for (const trap of ["ERR", "DEBUG", "RETURN"]) {
      const action = this.traps.get(trap);
      if (action === undefined || this.#inherits(trap) || (traced && trap !== "ERR")) continue;
      suspended.push([trap, action]);
      this.traps.delete(trap);
    }
    return () => {
      for (const [trap, action] of suspended) {
        if (!this.traps.has(trap)) this.traps.set(trap, action);
      }
    };
  }

  get inFunction(): boolean {
    for (let frame = this.frame; frame !== undefined; frame = frame.outer) {
      if (frame.isFunction) return true;
    }
    return false;
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

  /** `name=value` and `name+=value`, by the variable's attributes and with `set -a` exporting. */
  assign(name: string, value: string, append = false): void {
    const element = this.variables.referencedElement(name);
    if (element !== undefined) return this.assignElement(element[1]!, element[2]!, value, append);
    const { integer } = this.variables.get(name) ?? {};
    let text = value;
    if (append || integer === true) {
      text = this.#combined(
        integer === true,
        append ? this.variables.value(name) : undefined,
        value,
      );
    }
    this.variables.set(name, text);
    if (this.options.has("allexport")) this.variables.setAttributes(name, { exported: true });
  }

  /** `name[key]=value`; the key is the text between the brackets, expanded. */
  assignElement(name: string, key: string, value: string, append = false): void {
    const { integer } = this.variables.get(name) ?? {};
    const index = elementKey(this, name, key);
    const old = append ? this.variables.array(name).get(index) : undefined;
    this.variables.setElement(name, index, this.#combined(integer === true, old, value));
  }

  #combined(integer: boolean, old: string | undefined, value: string): string {
    if (!integer) return (old ?? "") + value;
    const expression = old === undefined || old === "" ? value : `(${old}) + (${value})`;
    return evaluateArithmetic(expression, arithmeticScope(this, true)).toString();
  }

  /** The process has a process substitution's pipe under another number than the script. */
  #ownPath(path: string): string {
    const number = Number(path.slice("/dev/fd/".length));
    if (!this.temporaryDescriptors.includes(number)) return path;
    const real = this.descriptors.get(number)?.real() ?? -1;
    return real < 0 ? path : `/dev/fd/${real}`;
  }

  /** A path as the system takes it. */
  resolve(path: string): string {
    if (path.startsWith("/dev/fd/")) return this.#ownPath(path);
    if (path.startsWith("/")) return path;
    return this.cwd.endsWith("/") ? this.cwd + path : `${this.cwd}/${path}`;
  }
}
