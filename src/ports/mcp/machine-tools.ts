/**
 * Owns the tools that every server has: code, commands and files of its machines.
 * Untrusted: the input, which has passed the schema, and what the machine's programs answer.
 */
import { logLines } from "../core/code-mode.js";
import type { McpTool, McpToolAnswer } from "./features.js";
import type { Machines } from "./machines.js";

/** Bytes of output between two words on how far a command is, and characters of its last line in them. */
const progressStepBytes = 4096;
const progressLineChars = 200;

const failed = (text: string): McpToolAnswer => ({
  content: [{ type: "text", text }],
  isError: true,
});

/** A tool whose parameters are all texts; those of `optional` may be left out. */
function tool(
  description: string,
  parameters: Readonly<Record<string, string>>,
  optional: readonly string[],
  handler: (input: Record<string, string>, context: Parameters<McpTool["handler"]>[1]) => unknown,
): McpTool {
  const properties = Object.entries(parameters).map(
    ([name, about]) => [name, { type: "string", description: about }] as const,
  );
  return {
    description,
    inputSchema: {
      type: "object",
      properties: Object.fromEntries(properties),
      required: Object.keys(parameters).filter((name) => !optional.includes(name)),
      additionalProperties: false,
    },
    // What bounds the program bounds the call, and tells what there was until then.
    timeoutMs: 0,
    handler: handler as McpTool["handler"],
  };
}

/** Says how much output there has been, now and then, and the line that it ends with. */
function progressOf(
  progress: (bytes: number, total: undefined, line: string) => void,
): (chunk: Uint8Array) => void {
  let bytes = 0;
  let saidBytes = -progressStepBytes;
  return (chunk) => {
    bytes += chunk.byteLength;
    if (bytes - saidBytes < progressStepBytes) return;
    saidBytes = bytes;
    const lines = Buffer.from(chunk.subarray(-progressStepBytes)).toString("utf8").trimEnd();
    progress(bytes, undefined, lines.split("\n").at(-1)!.slice(0, progressLineChars));
  };
}

function runCode(machines: Machines, timeoutMs: number): McpTool {
  return tool(
    "Runs JavaScript in an isolated machine: the body of an async function; return gives the result, console.log notes.",
    { code: "The body of an async function" },
    [],
    async ({ code = "" }, { signal }) => {
      const outcome = await (await machines.code()).run({ code, form: "any", signal, timeoutMs });
      const logs = logLines(outcome.logs).map((line) => `${line}\n`);
      if (!outcome.ok)
        return failed(`${logs.join("")}${outcome.error.name}: ${outcome.error.message}`);
      return logs.join("") + (JSON.stringify(outcome.value, null, 2) ?? "undefined");
    },
  );
}

function runCommand(machines: Machines, timeoutMs: number): McpTool {
  return tool(
    "Runs a bash command line in an isolated machine with Node.js. Files last from call to call.",
    { command: "The command line", cwd: "Working directory" },
    ["cwd"],
    async ({ command = "", cwd }, { signal, progress }) => {
      const said = progressOf(progress);
      const session = await machines.session();
      const result = await session.exec(command, {
        cwd,
        signal,
        timeoutMs,
        onStdout: said,
        onStderr: said,
      });
      const { output, exitCode, timedOut } = result;
      const end = timedOut ? `killed after ${timeoutMs} ms` : `exit code ${exitCode}`;
      const text = `${output}\n[${end}]`;
      return exitCode === 0 ? text : failed(text);
    },
  );
}

/** By name. `timeoutMs` bounds code and commands. */
export function machineTools(
  machines: Machines,
  timeoutMs: number,
): Readonly<Record<string, McpTool>> {
  return {
    run_code: runCode(machines, timeoutMs),
    run_command: runCommand(machines, timeoutMs),
    read_file: tool(
      "Reads a text file of the machine.",
      { path: "Path of the file" },
      [],
      async ({ path = "" }) => {
        const bytes = await (await machines.session()).readFile(path);
        if (bytes === undefined) return failed(`there is no file ${path}`);
        return Buffer.from(bytes).toString("utf8");
      },
    ),
    write_file: tool(
      "Writes a text file of the machine, and makes its directories.",
      { path: "Path of the file", content: "The text" },
      [],
      async ({ path = "", content = "" }) => {
        await (await machines.session()).writeFile(path, content);
        return `wrote ${Buffer.byteLength(content)} bytes to ${path}`;
      },
    ),
    list_files: tool(
      "Lists a directory of the machine: one name a line, directories with a / behind.",
      { path: "Path of the directory; the working directory if left out" },
      ["path"],
      async ({ path = "." }) => {
        const entries = await (await machines.session()).list(path);
        if (entries === undefined) return failed(`there is no directory ${path}`);
        return entries
          .map(({ name, type }) => (type === "directory" ? `${name}/` : name))
          .join("\n");
      },
    ),
  };
}
