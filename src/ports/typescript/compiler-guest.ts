/**
 * Owns the part of the TypeScript tools that runs in the machine: the compiler's API over the machine's files,
 * or over one text that is in none.
 *
 * It protects nothing, and what it answers is as trustworthy as the compiler's text and the code it looks at.
 */

/** What one call asks for; the machine gets it as JSON. */
export interface CompilerRequest {
  what:
    | "typecheckProject"
    | "compileProject"
    | "typecheckSource"
    | "compileSource"
    | "transpileSource";
  cwd: string;
  configFilePath?: string;
  /** Of a source. */
  sourceText?: string;
  filePath?: string;
  compilerOptions?: Record<string, unknown>;
}

/** Statements that load the compiler of `directory` once and define `globalThis.__typescript`; the set-up of a template. */
export function compilerSetup(directory: string): string {
  return `const directory = ${JSON.stringify(directory)};\n${setup}`;
}

/** A statement that has the library parsed and the checker compiled, before the first copy that checks is made. */
export const checkerSetup = compilerCallOf({
  what: "compileSource",
  cwd: "/",
  sourceText:
    "export const warm: number[] = [1, 2].map((each) => each * 2); class A<T> { constructor(readonly of: T) {} } export const made = new A(new Map([[1, 'a']]));",
});

function compilerCallOf(request: CompilerRequest): string {
  return `globalThis.__typescript(${JSON.stringify(request)})`;
}

/** The program of one call. */
export function compilerCall(request: CompilerRequest): string {
  return `__return(${compilerCallOf(request)});`;
}

const setup = String.raw`
import { createRequire } from "node:module";
const ts = createRequire("file:///")(directory + "/lib/typescript.js");
const categories = ["warning", "error", "suggestion", "message"];
// Files of the compiler itself never change: parsed once, they serve every call that begins in a copy.
const known = new Map();
const asked = (version) => typeof version === "object" ? version.languageVersion + ":" + version.impliedNodeFormat : String(version);

const shown = (diagnostic) => {
  const { code, category, messageText, file, start } = diagnostic;
  const answer = { code, category: categories[category], message: ts.flattenDiagnosticMessageText(messageText, "\n") };
  if (file === undefined) return answer;
  answer.filePath = file.fileName;
  if (start === undefined) return answer;
  const { line, character } = ts.getLineAndCharacterOfPosition(file, start);
  return { ...answer, line: line + 1, column: character + 1 };
};

// As in tsconfig.json; numbers are the compiler's own.
const optionsOf = (given, cwd) => {
  const texts = {}, numbers = {};
  for (const [name, value] of Object.entries(given ?? {})) (typeof value === "number" ? numbers : texts)[name] = value;
  const { options, errors } = ts.convertCompilerOptionsFromJson(texts, cwd);
  return { options: { ...options, ...numbers }, errors };
};

const configOf = (path) => {
  const errors = [];
  const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: (diagnostic) => errors.push(diagnostic) };
  const parsed = ts.getParsedCommandLineOfConfigFile(path, {}, host);
  return { options: parsed?.options ?? {}, files: parsed?.fileNames ?? [], references: parsed?.projectReferences, errors: [...errors, ...(parsed?.errors ?? [])] };
};

const hostFor = (options, cwd, overlay) => {
  const host = ts.createCompilerHost(options, true);
  const { fileExists, readFile, getSourceFile } = host;
  host.getCurrentDirectory = () => cwd;
  host.fileExists = (path) => overlay.has(path) || fileExists(path);
  host.readFile = (path) => overlay.get(path) ?? readFile(path);
  host.getSourceFile = (path, version, ...rest) => {
    if (overlay.has(path)) return ts.createSourceFile(path, overlay.get(path), version, true);
    if (!path.startsWith(directory + "/")) return getSourceFile(path, version, ...rest);
    const key = asked(version) + " " + path;
    let file = known.get(key);
    if (file === undefined) known.set(key, (file = getSourceFile(path, version, ...rest)));
    return file;
  };
  return host;
};

const failed = (diagnostics) => diagnostics.some(({ category }) => category === "error");

const project = ({ what, cwd, configFilePath }) => {
  const named = configFilePath === undefined ? ts.findConfigFile(cwd, ts.sys.fileExists) : ts.resolvePath(cwd, configFilePath);
  if (named === undefined) {
    const message = "Cannot find a tsconfig.json file at the current directory: " + cwd + ".";
    const diagnostics = [{ code: 5081, category: "error", message }];
    return what === "typecheckProject" ? { success: false, diagnostics } : { success: false, diagnostics, emitSkipped: true, emittedFiles: [] };
  }
  const { options, files, references, errors } = configOf(named);
  const checks = what === "typecheckProject";
  const all = { ...options, ...(checks ? { noEmit: true } : { listEmittedFiles: true }) };
  const program = ts.createProgram({ rootNames: files, options: all, host: hostFor(all, cwd, new Map()), projectReferences: references });
  const found = [...errors, ...ts.getPreEmitDiagnostics(program)];
  if (checks) {
    const diagnostics = ts.sortAndDeduplicateDiagnostics(found).map(shown);
    return { success: !failed(diagnostics), diagnostics };
  }
  const { emitSkipped, emittedFiles = [], diagnostics: more } = program.emit();
  const diagnostics = ts.sortAndDeduplicateDiagnostics([...found, ...more]).map(shown);
  return { success: !failed(diagnostics) && !emitSkipped, diagnostics, emitSkipped, emittedFiles };
};

const defaults = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  strict: true,
  skipLibCheck: true,
};

const source = ({ what, cwd, configFilePath, sourceText, filePath, compilerOptions }) => {
  const path = ts.resolvePath(cwd, filePath ?? "source.ts");
  const config = configFilePath === undefined ? { options: defaults, errors: [] } : configOf(ts.resolvePath(cwd, configFilePath));
  const given = optionsOf(compilerOptions, cwd);
  const checks = what === "typecheckSource";
  const options = { ...config.options, ...given.options, ...(checks ? { noEmit: true } : { noEmit: false, emitDeclarationOnly: false }) };
  if (!checks) delete options.outFile;
  const program = ts.createProgram([path], options, hostFor(options, cwd, new Map([[path, sourceText]])));
  const found = [...config.errors, ...given.errors, ...ts.getPreEmitDiagnostics(program)];
  if (checks) {
    const diagnostics = ts.sortAndDeduplicateDiagnostics(found).map(shown);
    return { success: !failed(diagnostics), diagnostics };
  }
  const texts = {};
  const { diagnostics: more } = program.emit(program.getSourceFile(path), (name, text) => {
    if (/\.[cm]?jsx?$/.test(name)) texts.outputText = text;
    else if (name.endsWith(".map")) texts.sourceMapText ??= text;
  });
  const diagnostics = ts.sortAndDeduplicateDiagnostics([...found, ...more]).map(shown);
  return { success: !failed(diagnostics), diagnostics, ...texts };
};

// Of decorators ESNext would keep the syntax, which the engine does not have.
const transpiled = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
// As the comments before the first statement, and the options, name a factory or leave it to a package.
const jsxOf = (text, { jsxFactory }) => {
  const [before] = /^(?:\s+|\/\*[^]*?\*\/|\/\/.*)*/.exec(text);
  return jsxFactory !== undefined || /@jsx\s/.test(before) ? ts.JsxEmit.React : ts.JsxEmit.ReactJSX;
};

const transpile = ({ sourceText, filePath, compilerOptions }) => {
  const given = optionsOf(compilerOptions, "/");
  const options = { ...transpiled, jsx: jsxOf(sourceText, given.options), ...given.options };
  const { outputText, diagnostics: found } = ts.transpileModule(sourceText, { compilerOptions: options, fileName: filePath, reportDiagnostics: true });
  const diagnostics = [...given.errors, ...found].map(shown);
  return { success: !failed(diagnostics), diagnostics, outputText };
};

globalThis.__typescript = (request) =>
  request.what === "transpileSource" ? transpile(request) : request.what.endsWith("Project") ? project(request) : source(request);
// What takes types out is compiled before the first copy is made.
transpile({ filePath: "a.tsx", sourceText: "function d(v: unknown, c: unknown) {} enum E { A } @d export class C<T> { @d m(p: T) { return <i k={p}>{E.A}</i>; } }" });
`;
