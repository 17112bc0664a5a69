// Statements of src/ whose value is a promise that nobody waits for, answers to or says `void` to: their
// failures would end the process, or nobody would hear of them. `node scripts/floating-promises.mjs` lists them and exits
// with 1 when there is any; tests/house.test.mjs runs it. The linter's own rule needs types, which it does not have here.
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript-5";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Together they compile every file of src/ once, but for what zygote and userland share. */
const projects = ["tsconfig.json", "tsconfig.guest.json", "tsconfig.page.json"];

/** Whether a value has a `then` that takes a callback for failures. */
function isPromise(checker, type, node) {
  return (type.isUnion() ? type.types : [type]).some((part) => {
    const then = checker.getApparentType(part).getProperty("then");
    if (then === undefined) return false;
    const signatures = checker.getTypeOfSymbolAtLocation(then, node).getCallSignatures();
    return signatures.some(({ parameters }) => parameters.length >= 2);
  });
}

/** `catch`, or `then` with two callbacks: the failure has somewhere to go. */
function isAnswered(expression) {
  if (!ts.isCallExpression(expression) || !ts.isPropertyAccessExpression(expression.expression))
    return false;
  const { name, expression: promise } = expression.expression;
  if (name.text === "catch") return expression.arguments.length > 0;
  if (name.text === "then") return expression.arguments.length > 1;
  return name.text === "finally" && isAnswered(promise);
}

/** The parts of a statement's expression whose values are dropped. */
function dropped(expression) {
  if (ts.isParenthesizedExpression(expression)) return dropped(expression.expression);
  if (ts.isConditionalExpression(expression))
    return [...dropped(expression.whenTrue), ...dropped(expression.whenFalse)];
  if (!ts.isBinaryExpression(expression)) return [expression];
  const { operatorToken, left, right } = expression;
  switch (operatorToken.kind) {
    case ts.SyntaxKind.CommaToken:
      return [...dropped(left), ...dropped(right)];
    case ts.SyntaxKind.AmpersandAmpersandToken:
    case ts.SyntaxKind.BarBarToken:
    case ts.SyntaxKind.QuestionQuestionToken:
      return dropped(right);
    default:
      // An assignment: somebody has it.
      return [];
  }
}

/** `[file, line, text]` of each in the files of a program that `wanted` names. */
export function floatingIn(program, wanted) {
  const checker = program.getTypeChecker();
  const found = [];
  for (const file of program.getSourceFiles()) {
    if (!wanted(file.fileName)) continue;
    const visit = (node) => {
      if (ts.isExpressionStatement(node))
        for (const expression of dropped(node.expression))
          if (
            !ts.isAwaitExpression(expression) &&
            !ts.isVoidExpression(expression) &&
            !isAnswered(expression) &&
            isPromise(checker, checker.getTypeAtLocation(expression), expression)
          ) {
            const { line } = file.getLineAndCharacterOfPosition(expression.getStart());
            found.push([file.fileName, line + 1, expression.getText().split("\n")[0]]);
          }
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return found;
}

/** The program of a project file. */
export function programOf(project) {
  const { config } = ts.readConfigFile(join(root, project), ts.sys.readFile);
  const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  return ts.createProgram(fileNames, { ...options, noEmit: true });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const seen = new Set();
  for (const project of projects) {
    const program = programOf(project);
    const wanted = (name) => name.startsWith(join(root, "src/")) && !seen.has(name);
    for (const [file, line, text] of floatingIn(program, wanted)) {
      console.log(`${relative(root, file)}:${line}: ${text}`);
      process.exitCode = 1;
    }
    for (const { fileName } of program.getSourceFiles()) seen.add(fileName);
  }
}
