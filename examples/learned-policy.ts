// The permissions of a service with a database, found out instead of guessed: express and pg from the working directory's
// packages, PostgreSQL at PGHOST:PGPORT. Printed beside what a person would write, and tried rule by rule.
import { join } from "node:path";
import { NodeRuntime, type LearnedPermissions, type PermissionRules } from "secure-exec";

const { PGHOST = "127.0.0.1", PGPORT = "5432", PGUSER = "app" } = process.env;

const files = {
  "/app/package.json": '{ "type": "module" }',
  "/app/server.js": `
    import express from "express";
    import { pool } from "./db/pool.js";
    import { notes } from "./routes/notes.js";
    import { health } from "./routes/health.js";
    const app = express().use(express.json()).use("/notes", notes).use("/health", health);
    const server = app.listen(3000, (error) => {
      if (error) throw error;
      console.log("listening");
    });
    process.on("SIGTERM", () => server.close(() => pool.end()));`,
  "/app/db/pool.js": `
    import pg from "pg";
    import { readFileSync } from "node:fs";
    export const pool = new pg.Pool();
    await pool.query(readFileSync(new URL("schema.sql", import.meta.url), "utf8"));`,
  "/app/db/schema.sql":
    "create table if not exists notes (id serial primary key, text text not null)",
  "/app/routes/notes.js": `
    import { Router } from "express";
    import { pool } from "../db/pool.js";
    export const notes = Router()
      .post("/", async (request, response) => {
        const { rows } = await pool.query("insert into notes (text) values ($1) returning text", [request.body.text]);
        response.status(201).json(rows[0]);
      })
      .get("/", async (_, response) => {
        const { rows } = await pool.query("select text from notes order by id");
        response.json(rows.map(({ text }) => text));
      });`,
  "/app/routes/health.js": `
    import { Router } from "express";
    export const health = Router().get("/", (_, response) => response.send("well"));`,
  "/app/.env": "SECRET=nobody needs it",
};

/** Whether the service does what it is for under `permissions`; and what it needed, where it is being learned. */
async function serves(permissions: LearnedPermissions | "learn") {
  await using rt = await NodeRuntime.create({
    permissions,
    files,
    nodeModules: { hostPath: join(process.cwd(), "node_modules"), guestPath: "/app/node_modules" },
    cwd: "/app",
    env: { PGHOST, PGPORT, PGUSER, PGDATABASE: "postgres" },
    loopbackExemptPorts: [Number(PGPORT)],
  });
  const service = await rt.spawnCommand("node", ["server.js"]);
  let works = false;
  for await (const line of service.lines()) {
    if (line !== "listening") break;
    const body = JSON.stringify({ text: "milk" });
    const headers = { "content-type": "application/json" };
    const posted = await rt.fetch(3000, { path: "/notes", method: "POST", headers, body });
    const listed = await rt.fetch(3000, { path: "/notes" });
    const health = await rt.fetch(3000, { path: "/health" });
    works = posted.status === 201 && listed.body.includes('"milk"') && health.body === "well";
    service.kill();
  }
  works &&= (await service.wait()) === 0;
  const learned =
    permissions === "learn" ? await rt.learnedPermissions({ generalize: true }) : undefined;
  // A file that the service has no use for.
  const secret = await rt.exec(`require("fs").readFileSync("/app/.env")`);
  return { works, learned, open: secret.exitCode === 0 };
}

const { learned } = await serves("learn");
const byHand: LearnedPermissions = {
  fs: {
    default: "deny",
    rules: [{ mode: "allow", operations: ["read", "stat"], paths: ["/app/**"] }],
  },
  network: {
    default: "deny",
    rules: [
      { mode: "allow", operations: ["http"], patterns: [`127.0.0.1:${PGPORT}`] },
      { mode: "allow", operations: ["listen"], patterns: ["localhost:3000"] },
    ],
  },
  childProcess: "deny",
  process: "deny",
  env: {
    default: "deny",
    rules: [{ mode: "allow", operations: ["read"], patterns: ["PG*", "HOME", "PATH", "USER"] }],
  },
  tool: "deny",
};

const setsOf = (permissions: LearnedPermissions) =>
  Object.entries(permissions).filter(
    (entry): entry is [string, PermissionRules] => typeof entry[1] === "object",
  );
const rulesOf = (permissions: LearnedPermissions) =>
  setsOf(permissions).flatMap(([scope, set]) => set.rules.map((rule) => ({ scope, rule })));
for (const [who, permissions] of [
  ["learned", learned!],
  ["by hand", byHand],
] as const) {
  const { works, open } = await serves(permissions);
  const count = rulesOf(permissions).length;
  console.log(
    `${who}: ${count} rules, the service ${works ? "works" : "fails"}, .env is ${open ? "open" : "shut"}`,
  );
  for (const { scope, rule } of rulesOf(permissions)) {
    const { mode: _, operations = [], ...on } = rule;
    console.log(`  ${scope} ${operations.join()}: ${Object.values(on).flat().join(" ")}`);
  }
}

// Under less it fails, whichever rule is left out.
let failing = 0;
for (const [scope, set] of setsOf(learned!))
  for (const rule of set.rules) {
    const rules = set.rules.filter((other) => other !== rule);
    const less = rules.length === 0 ? "deny" : { ...set, rules };
    if (!(await serves({ ...learned!, [scope]: less })).works) failing++;
  }
console.log(`without one of its rules it fails: ${failing} of ${rulesOf(learned!).length}`);
