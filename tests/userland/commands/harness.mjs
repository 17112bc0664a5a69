// Compares our commands with the machine's own: each case is one command line, run by both in equal
// folders; output, exit status, messages and what the folder holds afterwards must be the same.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { engine } from "../../sandbox/engine.mjs";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const runner = fileURLToPath(new URL("runner.cjs", import.meta.url));
const bundle = join(root, "dist/programs.json");
const seconds = Date.UTC(2024, 0, 2, 3, 4, 5) / 1000;
export const environment = {
  PATH: process.env.PATH,
  LANG: "C",
  LC_ALL: "C",
  TZ: "UTC0",
  HOME: "/nowhere",
};

/** Words of a command line: blanks, '…' and "…" as in a shell, and nothing else. */
export function split(line) {
  const words = [];
  for (const [text] of line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)) {
    words.push(text.replace(/'([^']*)'|"([^"]*)"/g, (_, a, b) => a ?? b));
  }
  return words;
}

function populate(folder, files) {
  fs.mkdirSync(folder, { recursive: true });
  const touched = [];
  for (const [name, value] of Object.entries(files)) {
    const path = join(folder, name);
    fs.mkdirSync(dirname(path), { recursive: true });
    if (typeof value === "string") fs.writeFileSync(path, value, "latin1");
    else if (value.link !== undefined) fs.symlinkSync(value.link, path);
    else if (value.dir) fs.mkdirSync(path, { recursive: true });
    else fs.writeFileSync(path, value.text ?? "", "latin1");
    if (value.mode !== undefined) fs.chmodSync(path, value.mode);
    touched.push([path, seconds + (value.age ? -value.age : 0)]);
  }
  for (const [path, time] of touched.reverse()) fs.lutimesSync(path, time, time);
  for (const name of fs.readdirSync(folder, { recursive: true })) {
    const stats = fs.lstatSync(join(folder, String(name)));
    if (stats.isDirectory()) fs.utimesSync(join(folder, String(name)), seconds, seconds);
  }
}

function snapshot(folder) {
  const entries = {};
  for (const name of fs.readdirSync(folder, { recursive: true }).map(String).sort()) {
    const path = join(folder, name);
    const stats = fs.lstatSync(path);
    const content = stats.isSymbolicLink()
      ? `-> ${fs.readlinkSync(path)}`
      : stats.isFile()
        ? fs.readFileSync(path, "latin1")
        : "";
    entries[name] = `${stats.mode.toString(8)} ${stats.nlink} ${content}`;
  }
  return entries;
}

function installed(tool) {
  return environment.PATH.split(":").some((folder) => fs.existsSync(join(folder, tool)));
}

/** Runs `cases` = [{argv, cwd, stdin, env}] with our commands in one engine process. */
export function runOurs(cases) {
  const output = execFileSync(engine, ["--no-warnings", runner], {
    input: JSON.stringify({ cases }),
    env: { ...environment, COMMANDS_BUNDLE: bundle },
    maxBuffer: 1 << 28,
    stdio: ["pipe", "pipe", "inherit"],
  });
  return JSON.parse(output.toString("utf8"));
}

/** A command of ours as a process of its own. */
export function commandLine(argv) {
  return {
    file: engine,
    args: ["--no-warnings", runner, ...argv],
    env: { ...environment, COMMANDS_BUNDLE: bundle },
  };
}

/** Gives each case the answer kept in `<name>.expected.json`; with RECORD set, asks the tool anew. */
export function recorded(name, table) {
  const path = fileURLToPath(new URL(`${name}.expected.json`, import.meta.url));
  const known =
    process.env.RECORD || !fs.existsSync(path) ? {} : JSON.parse(fs.readFileSync(path, "utf8"));
  const filled = table.map(([line, options = {}]) => {
    if (options.expect !== undefined) return [line, options];
    const key = JSON.stringify([line, options.stdin ?? "", options.env ?? {}]);
    if (known[key] === undefined) {
      const folder = fs.mkdtempSync(join(tmpdir(), "record-"));
      populate(folder, options.files ?? {});
      const [tool, ...args] = split(line);
      const result = spawnSync(tool, args, {
        cwd: folder,
        input: Buffer.from(options.stdin ?? "", "latin1"),
        env: { ...environment, ...options.env },
      });
      known[key] = {
        stdout: result.stdout.toString("latin1"),
        stderr: result.stderr.toString("latin1"),
        status: result.status,
      };
      fs.rmSync(folder, { recursive: true });
    }
    return [line, { ...options, expect: known[key] }];
  });
  if (process.env.RECORD) fs.writeFileSync(path, `${JSON.stringify(known, null, 2)}\n`);
  return filled;
}

/**
 * Each case: [command line or argv, { stdin, files, env, expect, stderr }]. Without `expect` the
 * machine's tool says what is right; `stderr: false` compares that there is a message, not its words.
 */
export function compare(title, table) {
  describe(title, () => {
    const scratch = fs.mkdtempSync(join(tmpdir(), "commands-"));
    const cases = table.map(([line, options = {}], index) => {
      const argv = Array.isArray(line) ? line : split(line);
      return {
        argv,
        options,
        ours: join(scratch, `${index}a`, "d"),
        theirs: join(scratch, `${index}b`, "d"),
      };
    });
    let results;
    before(() => {
      for (const { options, ours } of cases) populate(ours, options.files ?? {});
      results = runOurs(
        cases.map(({ argv, options, ours }) => ({
          argv,
          cwd: ours,
          stdin: options.stdin ?? "",
          env: options.env,
        })),
      );
    });
    after(() => fs.rmSync(scratch, { recursive: true, force: true }));
    cases.forEach(({ argv, options, ours, theirs }, index) => {
      const name = argv.join(" ").replace(/[^ -~]/g, "?");
      const tool = options.real?.[0] ?? argv[0];
      const missing =
        options.expect === undefined &&
        !installed(tool) &&
        `${tool} is not installed and nothing is recorded`;
      test(name.slice(0, 90), { skip: missing }, () => {
        const mine = results[index];
        assert.ok(!/internal error|\n {4}at /.test(mine.stderr), mine.stderr);
        let right = options.expect;
        if (right === undefined) {
          populate(theirs, options.files ?? {});
          const words = options.real ?? argv;
          const result = spawnSync(words[0], words.slice(1), {
            cwd: theirs,
            input: Buffer.from(options.stdin ?? "", "latin1"),
            env: { ...environment, ...options.env },
            maxBuffer: 1 << 28,
          });
          if (result.error !== undefined && result.error.code !== "EPIPE") throw result.error;
          right = {
            stdout: result.stdout.toString("latin1"),
            status: result.status,
            stderr: result.stderr
              .toString("latin1")
              .replaceAll(`/usr/bin/${argv[0]}: `, `${argv[0]}: `),
          };
          assert.deepEqual(snapshot(ours), snapshot(theirs), "what the folder holds");
        }
        assert.equal(mine.stdout, right.stdout ?? "", "stdout");
        if (options.stderr === false) {
          assert.equal(mine.stderr !== "", right.stderr !== "", `stderr: ${mine.stderr}`);
        } else assert.equal(mine.stderr, right.stderr ?? "", "stderr");
        assert.equal(mine.status, right.status ?? 0, "exit status");
      });
    });
  });
}
