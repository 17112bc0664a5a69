/** `trap`. */
import { eventNames, parseSignal, signalNames } from "../signals.js";
import type { TrapName } from "../signals.js";
import type { Builtin, BuiltinCall } from "./builtin.js";
import { quote } from "./builtin.js";

/** What `trap` prints: `SIGINT` in bash, `INT` in dash. */
function shownName({ shell }: BuiltinCall, trap: TrapName): string {
  return shell.bash && trap !== "EXIT" && !eventNames.includes(trap) ? `SIG${trap}` : trap;
}

function parseTrap({ shell }: BuiltinCall, text: string): TrapName | undefined {
  const event = text.toUpperCase();
  return shell.bash && eventNames.includes(event) ? event : parseSignal(text);
}

function list(call: BuiltinCall, chosen: readonly TrapName[]): Promise<number> {
  const { env } = call;
  // A subshell still shows its parent's until it sets one of its own.
  const traps = env.inheritedTraps ?? env.traps;
  const lines = chosen
    .filter((trap) => traps.has(trap))
    .map((trap) => `trap -- ${quote(call, traps.get(trap)!)} ${shownName(call, trap)}\n`);
  return call.print(lines.join(""));
}

/** The table of `trap -l` and bash's `kill -l`. */
export function signalTable(): string {
  const cells = signalNames.slice(1).map((name, index) => [index + 1, `SIG${name}`] as const);
  // The C library keeps 32 and 33; SIGRTMIN is 34.
  const realTime = Array.from({ length: 31 }, (_, index) => {
    const number = 34 + index;
    const name =
      index === 0
        ? "SIGRTMIN"
        : index === 30
          ? "SIGRTMAX"
          : index <= 15
            ? `SIGRTMIN+${index}`
            : `SIGRTMAX-${30 - index}`;
    return [number, name] as const;
  });
  let text = "";
  [...cells, ...realTime].forEach(([number, name], index, all) => {
    const ends = index % 5 === 4 || index === all.length - 1;
    text += `${String(number).padStart(2)}) ${name}${ends ? "\n" : "\t"}`;
  });
  return text;
}

async function trap(call: BuiltinCall): Promise<number> {
  const { env, shell } = call;
  let { args } = call;
  const everything = [...signalNames, ...eventNames];
  if (shell.bash && args[0]?.startsWith("-") === true && args[0].length > 1 && args[0] !== "--") {
    const { flags, operands } = call.options("lp");
    if (flags.has("l")) return call.print(signalTable());
    if (flags.has("p")) return listChosen(call, operands, everything);
  }
  if (args[0] === "--") args = args.slice(1);
  if (args.length === 0 || (args.length === 1 && args[0] === "-p")) return list(call, everything);
  if (args[0] === "-l") return call.print(`${signalNames.slice(1).join("\n")}\n`);
  // A number, or a signal alone, in the place of the action resets.
  const reset = args.length === 1 || /^\d+$/.test(args[0]!);
  const action = reset || args[0] === "-" ? undefined : args[0];
  if (shell.bash && args.length === 1 && parseTrap(call, args[0]!) === undefined) {
    return call.misuse();
  }
  let status = 0;
  for (const text of reset && args[0] !== "-" ? args : args.slice(1)) {
    const name = parseTrap(call, text);
    if (name !== undefined) shell.traps.set(env, name, action);
    else {
      const words = shell.bash ? "invalid signal specification" : "bad trap";
      status = await call.complain(`${text}: ${words}`);
    }
  }
  return status;
}

async function listChosen(
  call: BuiltinCall,
  names: readonly string[],
  everything: readonly TrapName[],
): Promise<number> {
  if (names.length === 0) return list(call, everything);
  let status = 0;
  for (const text of names) {
    const name = parseTrap(call, text);
    if (name === undefined) status = await call.complain(`${text}: invalid signal specification`);
    else await list(call, [name]);
  }
  return status;
}

export const trapBuiltins: Record<string, Builtin> = { trap: { special: true, run: trap } };
