// What is public, with the texts that stand at it: every export of package.json's entries, and every member of each,
// from the declarations of the last build. `node scripts/api-symbols.mjs` lists what their texts lack;
// tests/docs/api.test.mjs holds that it is nothing.
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript-5";
import { errorTable } from "../dist/sdk/errors.js";

const root = fileURLToPath(new URL("..", import.meta.url));

const mainEntry = "secure-exec";

/** Name of an entry, as callers import it → its declarations. */
export function entries() {
  const { name, exports } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
  return Object.entries(exports)
    .filter(([, target]) => target.types !== undefined)
    .map(([path, { types }]) => [`${name}${path.slice(1)}`, types.replace("./", "")]);
}

/** The comment at a declaration: its words, and its tags as [name, text]. */
function textAt(node) {
  const comments = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc);
  const last = comments.at(-1);
  if (last === undefined) return { words: "", tags: [] };
  const source = node.getSourceFile().text;
  const lines = source
    .slice(last.pos, last.end)
    .replace(/^\/\*\*/, "")
    .replace(/\*\/$/, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, ""));
  // Not what the compiler makes of it: that reads `{A | B}` and code with `@` in it in its own ways.
  const [words, ...tagged] = lines
    .join("\n")
    .split(/^\s*@(?=(?:throws|example|default|deprecated|internal)\b)/m);
  const tags = tagged.map((tag) => {
    const [, name, rest] = /^(\w+)\s?([^]*)$/.exec(tag);
    return [name, rest.replace(/\s+$/, "").replace(/^\n/, "")];
  });
  return { words: words.trim(), tags };
}

const isOptional = (node) => node.questionToken !== undefined;
const isCallable = (node) =>
  ts.isMethodDeclaration(node) || ts.isMethodSignature(node) || ts.isConstructorDeclaration(node);
const nameOf = (node) => (ts.isConstructorDeclaration(node) ? "constructor" : node.name.getText());
const isHidden = (node) =>
  node.name?.kind === ts.SyntaxKind.PrivateIdentifier ||
  node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword) === true;

/** Every member of a type that is written out, those of objects in it included. */
function* membersOf(node, path) {
  const list = node.members ?? [];
  for (const member of list) {
    if (isHidden(member) || (member.name === undefined && !ts.isConstructorDeclaration(member)))
      continue;
    const name = `${path}.${nameOf(member)}`;
    yield { name, node: member };
    if (member.type !== undefined) yield* literalsIn(member.type, name);
  }
}

function* literalsIn(node, path) {
  if (ts.isTypeLiteralNode(node)) yield* membersOf(node, path);
  // What a function is given or answers is told where the function is.
  else if (!ts.isFunctionTypeNode(node)) {
    const parts = [];
    ts.forEachChild(node, (child) => void parts.push(child));
    for (const child of parts) yield* literalsIn(child, path);
  }
}

/** The text at a member, or at the one of that name in what its owner extends or implements, as editors show it. */
function inheritedText(checker, node) {
  const own = textAt(node);
  if (own.words !== "" || own.tags.length > 0 || node.parent.heritageClauses === undefined)
    return own;
  for (const { types } of node.parent.heritageClauses)
    for (const type of types) {
      const above = checker.getTypeAtLocation(type).getProperty(nameOf(node));
      const text = above?.declarations?.map(textAt).find(({ words }) => words !== "");
      if (text !== undefined) return text;
    }
  return own;
}

/** A symbol that an entry exports; of its declarations the first has the members, and one of them the text. */
function topOf(entry, exported, symbol) {
  const [first, ...others] = symbol.declarations ?? [];
  if (first === undefined) throw new Error(`${entry} ${exported.name}: no declaration`);
  // The comment of a constant stands at its statement.
  const declarations = [first, ...others].map((node) =>
    ts.isVariableDeclaration(node) ? node.parent.parent : node,
  );
  return {
    entry,
    name: exported.name,
    names: [[entry, exported.name]],
    declared: symbol.name,
    node: first,
    owner: undefined,
    file: relative(root, first.getSourceFile().fileName),
    ...textAt(declarations.find((node) => textAt(node).words !== "") ?? declarations[0]),
  };
}

/**
 * Every symbol that entries export, once: `{ entry, name, file, node, words, tags }`, members as `Name.member` behind
 * their owner. `all` is [name of the entry, path of its declarations].
 */
function symbolsOf(program, all) {
  const checker = program.getTypeChecker();
  const seen = new Map();
  const symbols = [];
  for (const [entry, path] of all)
    for (const exported of checker.getExportsOfModule(
      checker.getSymbolAtLocation(program.getSourceFile(path)),
    )) {
      const isAlias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
      const symbol = isAlias ? checker.getAliasedSymbol(exported) : exported;
      const known = seen.get(symbol);
      if (known !== undefined) {
        known.names.push([entry, exported.name]);
        continue;
      }
      const top = topOf(entry, exported, symbol);
      const { node, file } = top;
      seen.set(symbol, top);
      symbols.push(top);
      const inside = ts.isTypeAliasDeclaration(node)
        ? literalsIn(node.type, top.name)
        : membersOf(node, top.name);
      const before = new Set();
      for (const { name, node: member } of inside) {
        // Of overloads and of a getter with its setter the first one has the text.
        if (before.has(name)) continue;
        before.add(name);
        const text = inheritedText(checker, member);
        symbols.push({ entry, name, node: member, owner: top, file, ...text });
      }
    }
  return symbols;
}

const options = {
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  types: [],
  // Types of the engine's and the language's own have no part in this.
  noLib: true,
};

/** Those of the package. */
export function publicSymbols() {
  const all = entries().map(([entry, file]) => [entry, root + file]);
  return symbolsOf(
    ts.createProgram(
      all.map(([, path]) => path),
      options,
    ),
    all,
  );
}

/** Those that a text would have as the package's entry. */
export function symbolsOfText(text) {
  const path = "/made.d.ts";
  const file = ts.createSourceFile(path, text, options.target, true);
  const host = { ...ts.createCompilerHost(options), getSourceFile: () => file };
  return symbolsOf(ts.createProgram([path], options, host), [[mainEntry, path]]);
}

/** What may stand in the braces of `@throws` beside codes: classes of errors that are not ours. */
export const otherErrors = [
  "AbortError",
  "Error",
  "NodeRuntimeFsError",
  "RangeError",
  "SyntaxError",
  "TypeError",
  "signal.reason",
];

const throwsNothing = /\bNever\s+(?:throws|rejects)\b/;
const unit =
  /\b(?:milliseconds?|seconds|minutes|bytes|characters|MiB|KiB|GiB|lines|levels|columns|rows|cells|pixels|ports?|pid|processors|processes|workers|machines|entries|sessions|number of|count|how many|index|status|permission bits|exit code|bits)\b/i;
const unitInName = /(?:Ms|Bytes|Chars|Seconds|MiB|Port|Lines|Entries)$/;

/** Those of whose members callers fill in. */
const isOptions = ({ name }) => /(?:Options|Config|Query|Input)$/.test(name);

function* throwsFaults({ words, tags, owner, entry }) {
  const said = tags.filter(([name]) => name === "throws");
  // The methods of ports are those of other packages' interfaces: what all of them throw stands at the class.
  const isSaid =
    entry !== mainEntry && owner !== undefined && [...throwsFaults(owner)].length === 0;
  if (said.length === 0 && !throwsNothing.test(words) && !isSaid)
    yield "says neither @throws nor that it never does";
  if (said.length > 0 && throwsNothing.test(words)) yield "throws, and never does";
  for (const [, text] of said) {
    const [, codes, when] = /^\{([^}]*)\}\s*([^]*)$/.exec(text) ?? [];
    if (codes === undefined) {
      yield `@throws without a code: ${text}`;
      continue;
    }
    if (when === "") yield `@throws {${codes}} without when`;
    for (const code of codes.split(/\s*\|\s*/))
      if (!Object.hasOwn(errorTable, code) && !otherErrors.includes(code))
        yield `@throws {${code}}, of which src/sdk/errors.ts has nothing`;
  }
}

const isNumber = (node) =>
  node.type !== undefined &&
  (node.type.kind === ts.SyntaxKind.NumberKeyword ||
    (ts.isUnionTypeNode(node.type) &&
      node.type.types.some(({ kind }) => kind === ts.SyntaxKind.NumberKeyword)));

/** What is wrong with the text at a symbol. */
export function* faultsOf(symbol) {
  const { words, tags, node, owner, name } = symbol;
  const has = (tag) => tags.some(([one, text]) => one === tag && text !== "");
  // Fields of what is answered have a text where their names do not say it all.
  const isField = owner !== undefined && !isOptions(owner) && !isCallable(node);
  if (words === "" && !has("default") && !isField) yield "has no text";
  const isMade = words.startsWith("Made by ");
  const takesCalls = isCallable(node) && !isMade;
  // What callers write and we call promises nothing.
  const isTheirs = owner !== undefined && !ts.isClassDeclaration(owner.node);
  if (ts.isFunctionDeclaration(node) || (takesCalls && !isTheirs)) yield* throwsFaults(symbol);
  if (owner === undefined && (ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node)))
    if (!has("example")) yield "has no @example";
  if (owner !== undefined && isOptions(owner) && ts.isPropertySignature(node)) {
    if (isOptional(node) && !has("default") && !has("deprecated")) yield "has no @default";
    if (isNumber(node) && !unitInName.test(name) && !unit.test(`${words} ${tags.join(" ")}`))
      yield "is a number without a unit";
  }
  if (isCallable(node) && !isMade)
    for (const { name: parameter, type } of node.parameters)
      if (parameter.getText() === "options" && type !== undefined && ts.isTypeLiteralNode(type))
        for (const member of type.members)
          if (!`${words} ${textAt(member).words}`.includes(member.name.getText()))
            yield `says nothing of ${member.name.getText()}`;
}

/** `[where, what]` of each fault. */
export function apiFaults(symbols = publicSymbols()) {
  return symbols.flatMap((symbol) =>
    [...faultsOf(symbol)].map((fault) => `${symbol.file}: ${symbol.name} ${fault}`),
  );
}

/** Code of `@example`s, each with where it stands. */
export function apiExamples(symbols = publicSymbols()) {
  return symbols.flatMap(({ name, tags, entry }) =>
    tags
      .filter(([tag]) => tag === "example")
      .map(([, text], at) => ({ name: at === 0 ? name : `${name} ${at + 1}`, entry, text })),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const faults = apiFaults();
  for (const fault of faults) console.log(fault);
  console.log(`${faults.length} faults`);
}
