// Statements of src/ whose value is a promise that nobody waits for, answers to or says `void` to: their
// failures would end the process, or nobody would hear of them. `node scripts/floating-promises.mjs` lists them and exits
// with 1 when there is any; tests/house.test.mjs runs it. The linter's own rule needs types, which it does not have here.
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript-5";

const root = fileURLToPath(new URL("..", import.meta.url));
/**
 * Together they compile every file of src/. Those of a list are one program: it is about types alone, and what they share,
 * the compiler's libraries and those of Node first of all, is read and bound once.
 */
const projects = [["tsconfig.json", "tsconfig.guest.json"], ["tsconfig.page.json"]];

/** Whether a value has a `then` that takes a callback for failures. */
function isPromise(checker, type, node) {
  return (type.isUnion() ? type.types : [type]).some((part) => {
    const then = checker.getApparentType(part).getProperty("then");
    if (then === undefined) return false;
    const signatures = checker.getTypeOfSymbolAtLocation(then, node).getCallSignatures();
    return signatures.some(({ parameters }) => parameters.length >= 2);
  });
}

/**
 * Whether a call can be told to answer no promise without its arguments, whose functions would be checked along with
 * them: whichever signature it is, what that answers does not depend on the call, and is none.
 */
function answersNone(checker, call) {
  const signatures = checker.getTypeAtLocation(call.expression).getCallSignatures();
  return (
    signatures.length > 0 &&
    signatures.every((signature) => {
      const answer = signature.getReturnType();
      const parts = answer.isUnion() ? answer.types : [answer];
      const depends = parts.some(({ flags }) => (flags & ts.TypeFlags.Instantiable) !== 0);
      return !depends && !isPromise(checker, answer, call);
    })
  );
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
            !(ts.isCallExpression(expression) && answersNone(checker, expression)) &&
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

/** The program of project files, under the options of the first. */
export function programOf(first, ...others) {
  const [{ options, fileNames }, ...more] = [first, ...others].map((project) => {
    const { config } = ts.readConfigFile(join(root, project), ts.sys.readFile);
    return ts.parseJsonConfigFileContent(config, ts.sys, root);
  });
  const all = new Set([...fileNames, ...more.flatMap((one) => one.fileNames)]);
  return ts.createProgram([...all], { ...options, noEmit: true });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const wanted = (name) => name.startsWith(join(root, "src/"));
  for (const project of projects)
    for (const [file, line, text] of floatingIn(programOf(...project), wanted)) {
      console.log(`${relative(root, file)}:${line}: ${text}`);
      process.exitCode = 1;
    }
}
