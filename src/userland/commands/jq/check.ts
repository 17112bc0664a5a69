/** Owns what `jq` says of a filter before it runs: every function and variable in it is defined. */
import { natives } from "./builtins.js";
import { specials } from "./calls.js";
import type { Definition, Filter, Pattern } from "./filter.js";
import { fail } from "./tokens.js";
import type { Scope } from "./scope.js";

/** Names that may be used at one place: functions as `name/arity`, variables as `$name`, labels as `*name`. */
type Names = ReadonlySet<string>;

const everywhere = ["$ENV", "$__loc__"];

const with_ = (names: Names, more: Iterable<string>): Names => new Set([...names, ...more]);

function* variablesOf(pattern: Pattern): Generator<string> {
  if (pattern.kind === "name") yield `$${pattern.name}`;
  else if (pattern.kind === "list") for (const item of pattern.items) yield* variablesOf(item);
  else
    for (const entry of pattern.entries) {
      if (entry.variable !== undefined) yield `$${entry.variable}`;
      if (entry.pattern !== undefined) yield* variablesOf(entry.pattern);
    }
}

function checkPattern(pattern: Pattern, names: Names, root: Scope): void {
  if (pattern.kind === "list") for (const item of pattern.items) checkPattern(item, names, root);
  if (pattern.kind !== "object") return;
  let known = names;
  for (const entry of pattern.entries) {
    check(entry.key, known, root);
    if (entry.variable !== undefined) known = with_(known, [`$${entry.variable}`]);
    if (entry.pattern !== undefined) checkPattern(entry.pattern, known, root);
  }
}

function checkDefinition({ name, parameters, body }: Definition, names: Names, root: Scope): void {
  const own = parameters.flatMap((one) =>
    one.startsWith("$") ? [one, `${one.slice(1)}/0`] : [`${one}/0`],
  );
  check(body, with_(names, [`${name}/${parameters.length}`, ...own]), root);
}

function check(filter: Filter | undefined, names: Names, root: Scope): void {
  if (filter === undefined) return;
  const all = (...filters: (Filter | undefined)[]): void => {
    for (const each of filters) check(each, names, root);
  };
  switch (filter.kind) {
    case "string":
      return all(...filter.parts.filter((part) => typeof part !== "string"));
    case "index":
      return all(filter.of, filter.key);
    case "slice":
      return all(filter.of, filter.from, filter.to);
    case "iterate":
    case "negate":
    case "array":
      return all(filter.of);
    case "pipe":
    case "comma":
    case "and":
    case "or":
    case "alternative":
    case "binary":
    case "update":
      return all(filter.left, filter.right);
    case "object":
      return all(...filter.entries.flatMap(({ key, value }) => [key, value]));
    case "if":
      return all(filter.test, filter.yes, filter.no);
    case "try":
      return all(filter.body, filter.handler);
    case "reduce":
    case "foreach": {
      all(filter.source, filter.initial);
      checkPattern(filter.pattern, names, root);
      const inner = with_(names, variablesOf(filter.pattern));
      check(filter.update, inner, root);
      if (filter.kind === "foreach") check(filter.extract, inner, root);
      return;
    }
    case "bind":
      all(filter.source);
      for (const pattern of filter.patterns) checkPattern(pattern, names, root);
      return check(
        filter.body,
        with_(
          names,
          filter.patterns.flatMap((one) => [...variablesOf(one)]),
        ),
        root,
      );
    case "label":
      return check(filter.body, with_(names, [`*${filter.name}`]), root);
    case "break":
      if (!names.has(`*${filter.name}`))
        throw fail(`$*label-${filter.name} is not defined at <top-level>, line 1:`);
      return;
    case "define": {
      const { definition } = filter;
      checkDefinition(definition, names, root);
      const key = `${definition.name}/${definition.parameters.length}`;
      return check(filter.body, with_(names, [key]), root);
    }
    case "variable":
      if (!names.has(`$${filter.name}`) && root.variable(filter.name) === undefined)
        throw fail(`$${filter.name} is not defined at <top-level>, line 1:`);
      return;
    case "call": {
      const key = `${filter.name}/${filter.args.length}`;
      const known =
        names.has(key) || root.callable(key) !== undefined || natives.has(key) || specials.has(key);
      if (!known) throw fail(`${key} is not defined at <top-level>, line 1:\n${filter.name}`);
      return all(...filter.args);
    }
  }
}

/** Fails as a filter does that cannot be compiled. `root`: where it will run. */
export function checkNames(filter: Filter, root: Scope): void {
  check(filter, new Set(everywhere), root);
}
