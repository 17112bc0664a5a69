/**
 * Owns the table in which the engine's JavaScript looks up its command line
 * (`getOptionValue` of internal/options). A guest is forked from a process that
 * was started with other options; here they become the guest's own.
 *
 * The engine hands the table to nobody, so it is found once, in the zygote, as
 * a debugger finds a closure's variables. What C++ and V8 read is not in it.
 * Untrusted: nothing in the zygote; after the fork a program may do as it likes with its own.
 */
import type { InternalBinding, RequireBuiltin } from "./engine-types.js";

export type OptionValue = boolean | number | string | string[] | { host: string; port: number };

type Table = Record<string, OptionValue>;

let table: Table | undefined;

/** What the zygote was started with and a program was not. */
const zygotesOwn: Table = {
  "--eval": "",
  "[has_eval_string]": false,
  "--expose-internals": false,
  "--disable-sigusr1": false,
  // Until a command line says otherwise.
  "--warnings": false,
};

/** Other names of one option; the engine's JavaScript asks for the second. */
const sameOption = new Map([["--experimental-require-module", "--require-module"]]);

/** An answer of the inspector, as far as it is looked at; Runtime of its protocol. */
interface Inspected {
  objectId: string;
  name: string;
  value: Inspected;
  result: Inspected & Inspected[];
  internalProperties: Inspected[];
}

interface Reply {
  result: Inspected;
}

/** Finds the table and takes the zygote's own options out of it. */
export function adoptEngineOptions(
  internalBinding: InternalBinding,
  requireBuiltin: RequireBuiltin,
): void {
  const { getOptionValue } = requireBuiltin("internal/options");
  getOptionValue("--eval");
  const { Connection } = internalBinding("inspector");
  let reply: Reply | undefined;
  const connection = new Connection((message: string) => {
    reply = JSON.parse(message) as Reply;
  });
  const post = (method: string, params: object): Inspected => {
    connection.dispatch(JSON.stringify({ id: 1, method, params }));
    return reply!.result;
  };
  const properties = (objectId: string): Inspected =>
    post("Runtime.getProperties", { objectId, ownProperties: true });
  const name = "secureExecOptions";
  const hidden = globalThis as Record<string, unknown>;
  hidden[name] = getOptionValue;
  try {
    const found = post("Runtime.evaluate", { expression: `globalThis.${name}` }).result.objectId;
    const scopes = properties(found).internalProperties.find(({ name }) => name === "[[Scopes]]")!
      .value.objectId;
    const closure = properties(scopes).result[0]!.value.objectId;
    const { objectId } = properties(closure).result.find(
      ({ name }) => name === "optionsDict",
    )!.value;
    post("Runtime.callFunctionOn", {
      objectId,
      functionDeclaration: `function () { globalThis.${name} = this; }`,
    });
    table = hidden[name] as Table;
  } finally {
    delete hidden[name];
    connection.disconnect();
  }
  if (!Array.isArray(table?.["--require"])) throw new Error("the engine's options were not found");
  for (const [option, value] of Object.entries(zygotesOwn)) setEngineOption(option, value);
  // What Node gives to children that it starts itself; C++ would answer the zygote's own flags.
  requireBuiltin("internal/options").getOptionsAsFlagsFromBinding = () => [...inherited.flags];
}

/** What workers inherit: the flags as the program sees them, and as the engine is to read them. */
export interface InheritedFlags {
  execArgv: readonly string[];
  flags: readonly string[];
}

let inherited: InheritedFlags = { execArgv: [], flags: [] };

/** Options of the process, or with effects that its worker's start must not have. */
const notInherited =
  /^--(eval|print|interactive|check|test|title|env-file|import|experimental-loader|watch|run$)/;

export function inheritFlags(
  execArgv: readonly string[],
  options: Iterable<readonly [name: string, value: OptionValue]>,
): void {
  const flags: string[] = [];
  for (const [name, value] of options) {
    if (notInherited.test(name)) continue;
    if (value === true) flags.push(name);
    else if (value === false) flags.push(`--no-${name.slice(2)}`);
    else if (Array.isArray(value)) for (const entry of value) flags.push(`${name}=${entry}`);
    else if (typeof value !== "object") flags.push(`${name}=${value}`);
  }
  inherited = { execArgv, flags };
}

export const inheritedFlags = (): InheritedFlags => inherited;

export function engineOption(name: string): OptionValue | undefined {
  return table?.[name];
}

/** Sets an option by its canonical name; one that can be true or false has both spellings in the table. */
export function setEngineOption(name: string, value: OptionValue): void {
  if (table === undefined) return;
  table[name] = value;
  const other = sameOption.get(name);
  if (other !== undefined) setEngineOption(other, value);
  if (typeof value !== "boolean") return;
  const bare = name.replace(/^--/, "");
  if (name.startsWith("--"))
    table[bare.startsWith("no-") ? `--${bare.slice(3)}` : `--no-${bare}`] = !value;
}
