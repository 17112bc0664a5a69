/**
 * Owns the speed of ordinary work: what scripts and agents do all day, in a machine and on plain Node or the
 * host's bash, by turns and in one run. Each program keeps its own time, but for those that are about processes
 * and pipes, which are timed from outside.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NodeRuntime } from "../dist/index.js";
import { percentile, timed } from "./measure.mjs";

const rounds = 5;
const treeFiles = 5000;
const tell = (body) => `
  const startedAt = performance.now();
  ${body}
  console.log("took " + (performance.now() - startedAt));`;

/** `inside` of a folder of its own, which is the program's current one. */
const rows = [
  {
    what: "200,000 console.log lines, piped",
    target: 1.5,
    outside: true,
    code: `for (let i = 0; i < 200_000; i++) console.log("line " + i);`,
  },
  {
    what: "10,000 small files written and read",
    target: 3,
    code: tell(`const fs = require("node:fs"); fs.mkdirSync("many");
      for (let i = 0; i < 10_000; i++) fs.writeFileSync("many/" + i, "content " + i);
      for (let i = 0; i < 10_000; i++) if (!fs.readFileSync("many/" + i, "utf8").endsWith(String(i))) throw new Error(i);
      `),
  },
  {
    what: "a file of 50 MB written and read",
    target: 1.5,
    code: tell(`const fs = require("node:fs"); fs.writeFileSync("big", Buffer.alloc(50e6, "x"));
      if (fs.readFileSync("big").length !== 50e6) throw new Error();
      const out = fs.openSync("pieces", "w"), piece = Buffer.alloc(64 * 1024, "y");
      for (let i = 0; i < 763; i++) fs.writeSync(out, piece); fs.closeSync(out);
      const from = fs.openSync("pieces", "r"); let size = 0;
      for (let n; (n = fs.readSync(from, piece)) > 0;) size += n;
      if (size !== 763 * 64 * 1024) throw new Error();`),
  },
  {
    what: `require of a tree of ${treeFiles} files, mounted`,
    target: 1.5,
    code: tell(`if (require(process.env.TREE) !== ${treeFiles}) throw new Error();`),
  },
  {
    what: "a worker's start and end, ten times",
    target: 1.5,
    code: `(async () => { const { Worker } = require("node:worker_threads");
      const startedAt = performance.now();
      for (let i = 0; i < 10; i++) await new Promise((done) => new Worker("1", { eval: true }).on("exit", done));
      console.log("took " + (performance.now() - startedAt)); })();`,
  },
  {
    what: 'execSync("true"), 20 times',
    target: 2,
    code: tell(
      `const { execSync } = require("node:child_process"); for (let i = 0; i < 20; i++) execSync("true");`,
    ),
  },
  { what: "a script of 100 commands", target: 3, script: scriptOf100() },
  { what: "jest 29, five suites of 20 cases, nothing cached", target: 1.5, jest: true },
];

/** Half of them built in, half programs, as scripts are. */
function scriptOf100() {
  const lines = [];
  for (let i = 0; i < 10; i++) {
    lines.push(
      `mkdir -p d${i}`,
      `echo "text ${i}" > d${i}/f`,
      `[ -f d${i}/f ] && x=$(cat d${i}/f)`,
      `cp d${i}/f d${i}/g`,
      `grep -q text d${i}/g`,
      `n=$((\${n:-0} + \${#x}))`,
      `sed -i s/text/word/ d${i}/g`,
      `for w in $x; do :; done`,
      `wc -l < d${i}/g > d${i}/h`,
      `printf '%s\\n' "$n" >> all`,
    );
  }
  return [...lines, "cat all | tail -1"].join("\n");
}

function makeTree(top) {
  const names = [];
  for (let i = 0; i < treeFiles - 1; i++) {
    const folder = join(top, `p${i % 50}`);
    if (i < 50) mkdirSync(folder);
    writeFileSync(join(folder, `m${i}.js`), `module.exports = ${i};\n`);
    names.push(`./p${i % 50}/m${i}`);
  }
  writeFileSync(
    join(top, "index.js"),
    `let n = 1; for (const name of ${JSON.stringify(names)}) { require(name); n++; } module.exports = n;\n`,
  );
}

const jestVersion = "29.7.0";

/** Fetches jest from the npm registry into `folder`, with five suites beside it; answers why not. */
function prepareJest(folder) {
  mkdirSync(join(folder, "suites"), { recursive: true });
  writeFileSync(join(folder, "package.json"), "{}");
  const args = ["install", `jest@${jestVersion}`, "--ignore-scripts", "--no-audit", "--no-fund"];
  const { error, status, stderr } = spawnSync("npm", args, {
    cwd: folder,
    timeout: 300_000,
    encoding: "utf8",
  });
  if (error !== undefined) return error.message;
  if (status !== 0) return stderr.split("\n", 1)[0];
  for (let suite = 0; suite < 5; suite++)
    writeFileSync(
      join(folder, "suites", `s${suite}.test.js`),
      `const { createHash } = require("node:crypto");
      for (let i = 0; i < 20; i++) test("case " + i, () => {
        expect(createHash("sha256").update(String(i)).digest("hex")).toHaveLength(64);
        expect({ i, list: [1, 2, i] }).toEqual({ i, list: [1, 2, i] });
      });`,
    );
  return undefined;
}

/** Arguments of node, where that folder is `folder`. It reports its results on stderr, to nobody. */
const jestIn = (folder, cwd) => [
  join(folder, "node_modules/jest/bin/jest.js"),
  "--config",
  JSON.stringify({ rootDir: join(folder, "suites") }),
  "--runInBand",
  "--no-cache",
  "--cacheDirectory",
  join(cwd, "cache"),
  "--watchman=false",
  "--silent",
];

const tookIn = (text) => Number(/took ([\d.]+)/.exec(text)?.[1]);

function child(file, args, { errors = "inherit", ...options }) {
  return new Promise((resolve, reject) => {
    const process = spawn(file, args, { ...options, stdio: ["ignore", "pipe", errors] });
    let text = "";
    process.stdout.setEncoding("latin1").on("data", (part) => (text += part));
    process.on("error", reject).on("close", (code) => {
      if (code === 0) resolve(text);
      else reject(new Error(`${file} ended with ${code}`));
    });
  });
}

export async function measureOrdinary(engine) {
  const top = mkdtempSync(join(tmpdir(), "bench-ordinary-"));
  const tree = join(top, "tree");
  mkdirSync(tree);
  makeTree(tree);
  const jestFolder = join(top, "jest");
  const noJest = prepareJest(jestFolder);
  if (noJest !== undefined) console.error(`no row of jest: ${noJest}`);
  const runtime = await NodeRuntime.create({
    mounts: [
      { guestPath: "/mnt/tree", hostPath: tree, readOnly: true },
      { guestPath: "/mnt/jest", hostPath: jestFolder, readOnly: true },
    ],
  });
  const hasBash = spawnSync("bash", ["-c", "true"]).status === 0;
  const measured = [];
  try {
    for (const { what, target, outside = false, code, script, jest = false } of rows) {
      if ((script !== undefined && !hasBash) || (jest && noJest !== undefined)) continue;
      const errors = jest ? "ignore" : "inherit";
      const isTimedOutside = outside || code === undefined;
      const argvOf = (folder, cwd) => (jest ? jestIn(folder, cwd) : ["-e", code]);
      const own = [];
      const plain = [];
      for (let round = 0; round < rounds; round++) {
        const cwd = mkdtempSync(join(top, "w-"));
        const env = { ...process.env, TREE: tree };
        let text = "";
        const args =
          script === undefined ? [engine, argvOf(jestFolder, cwd)] : ["bash", ["-c", script]];
        const took = await timed(async () => (text = await child(...args, { cwd, env, errors })));
        plain.push(isTimedOutside ? took : tookIn(text));
        rmSync(cwd, { recursive: true });
        await runtime.execCommand("sh", ["-c", "rm -rf /tmp/w; mkdir /tmp/w"]);
        let result;
        const options = { cwd: "/tmp/w", env: { TREE: "/mnt/tree" } };
        const command =
          script === undefined ? ["node", argvOf("/mnt/jest", "/tmp/w")] : ["bash", ["-c", script]];
        const ownTook = await timed(async () => {
          result = await runtime.execCommand(...command, options);
        });
        if (result.exitCode !== 0) throw new Error(`${what}: ${result.stderr}`);
        own.push(isTimedOutside ? ownTook : tookIn(result.stdout));
      }
      const ratio = percentile(own, 0.5) / percentile(plain, 0.5);
      measured.push({
        what: `${what}, ${ratio.toFixed(2)} of plain`,
        p50: percentile(own, 0.5),
        p95: percentile(own, 0.95),
        samples: rounds,
        target: `≤ ${target} ×`,
        met: ratio <= target,
      });
    }
  } finally {
    await runtime.dispose();
    rmSync(top, { recursive: true });
  }
  return measured;
}
