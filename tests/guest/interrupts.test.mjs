// SIGINT that breaks into a script which does not return: `breakOnSigint` of node:vm, and the REPL.
import assert from "node:assert/strict";
import { after, before, it as test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";

const it = (name, body) => test(name, { timeout: 60_000 }, body);

let rt;
before(async () => {
  rt = await NodeRuntime.create({
    files: {
      "/home/user/script.cjs": `
        const vm = require("node:vm");
        const [method, listeners] = process.argv.slice(2);
        const heard = [];
        for (let i = 0; i < Number(listeners); i++) process.on("SIGINT", () => heard.push(i));
        const args = method === "runInContext" ? [vm.createContext({ process })] : [];
        const results = [];
        for (let round = 0; round < 2; round++) {
          try { vm[method]("process.send('runs'); for (;;);", ...args, { breakOnSigint: true }); }
          catch (error) { results.push(error.code, heard.length); }
        }
        // A listener of the program's hears the next one, and without one it is deadly.
        process.on("message", () => {});
        process.on("SIGINT", () => { process.removeAllListeners("SIGINT"); process.send({ results, heard: [...heard, "last"] }); });
        process.send("listens");`,
      "/home/user/short.cjs": `
        const vm = require("node:vm");
        const inner = () => vm.runInThisContext("for (let i = 0; i < 1e5; i++);", { breakOnSigint: true });
        globalThis.outer = () => {
          process.send("again");
          for (let broken = 0; broken < 20; )
            try { inner(); } catch { if (++broken < 20) process.send("again"); }
        };
        let outer = "done";
        try { vm.runInThisContext("outer()", { breakOnSigint: true }); } catch (error) { outer = error.code; }
        // One that came late would break into this.
        for (let i = 0; i < 50; i++) inner();
        process.exit(/^done$|INTERRUPTED/.test(outer) ? 0 : 1);`,
    },
  });
});
after(() => rt?.dispose());

const prelude = `
import { spawn } from "node:child_process";
import { once } from "node:events";
`;
async function returned(program) {
  const result = await rt.run(prelude + program);
  assert.deepEqual([result.stdout, result.stderr, result.exitCode], ["", "", 0]);
  return result.value;
}

it("a script that does not return is broken into, and listeners are the program's again behind it", async () => {
  const value = await returned(`
    const ends = [];
    for (const options of [[], ["--stack-size=900"]])
      for (const method of ["runInThisContext", "runInContext"])
        for (const listeners of [0, 2]) {
          const child = spawn(process.execPath, [...options, "script.cjs", method, listeners], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
          child.on("message", (said) => {
            if (typeof said === "object") ends.push(said);
            child.kill("SIGINT");
          });
          ends.push(await once(child, "exit"));
        }
    __return(ends);`);
  const code = "ERR_SCRIPT_EXECUTION_INTERRUPTED";
  const once = (heard) => [
    { results: [code, 0, code, 0], heard: [...heard, "last"] },
    [null, "SIGINT"],
  ];
  const four = [...once([]), ...once([0, 1]), ...once([]), ...once([0, 1])];
  assert.deepEqual(value, [...four, ...four]);
});

it("each signal breaks into one script, however late in it, and ends nobody", async () => {
  const value = await returned(`
    const child = spawn(process.execPath, ["short.cjs"], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    child.on("message", (said) => { if (said === "again") child.kill("SIGINT"); });
    __return(await once(child, "exit"));`);
  assert.deepEqual(value, [0, null]);
});

it("the REPL goes on with what it had when SIGINT breaks into a line", async () => {
  const value = await returned(`
    const child = spawn(process.execPath, ["-i"], { stdio: ["pipe", "pipe", "inherit", "ipc"] });
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      out += text;
      if (out.includes("interrupted by") && !child.stdin.writableEnded) child.stdin.end("a * 2\\n");
    });
    child.on("message", () => child.kill("SIGINT"));
    child.stdin.write("a = 21; process.send(1); for (;;);\\n");
    const [code] = await once(child, "close");
    __return([code, /Script execution was interrupted by .SIGINT./.test(out), out.includes("42\\n")]);`);
  assert.deepEqual(value, [0, true, true]);
});
