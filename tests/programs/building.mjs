// Compilers, bundlers, linters and test runners. A row: name, program.
const saying = `import fs from "node:fs"; const say = (...values) => console.log(...values.map((value) => typeof value === "string" ? value : JSON.stringify(value)));\n`;

export default [
  [
    "typescript",
    `import ts from "typescript"; fs.writeFileSync("a.ts", "const x: number = 'no'; export enum E { A = 1 }; export const f = (y: string) => y.nope;"); const program = ts.createProgram(["a.ts"], { outDir: "out", module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, types: [] }); say(ts.getPreEmitDiagnostics(program).map((d) => [d.code, ts.flattenDiagnosticMessageText(d.messageText, "\\n")])); program.emit(); say(fs.readFileSync("out/a.js", "utf8"));`,
  ],
  [
    "esbuild-wasm",
    `import * as esbuild from "esbuild-wasm"; fs.writeFileSync("b.ts", "export const b: number = 2;"); fs.writeFileSync("a.ts", "import { b } from './b'; console.log(b + (1 as number), <T,>(x: T) => x);"); const { outputFiles } = await esbuild.build({ entryPoints: ["a.ts"], bundle: true, write: false, format: "esm", logLevel: "silent" }); say(outputFiles[0].text, (await esbuild.transform("let x = <div a={1}/>", { loader: "jsx" })).code, await esbuild.transform("let", { logLevel: "silent" }).catch((e) => e.errors[0].text)); await esbuild.stop();`,
  ],
  [
    "rollup (wasm)",
    `import { rollup } from "@rollup/wasm-node"; fs.writeFileSync("m.js", "export const used = 1; export const unused = 2;"); fs.writeFileSync("main.js", "import { used } from './m.js'; console.log(used);"); const bundle = await rollup({ input: "main.js" }); say((await bundle.generate({ format: "cjs" })).output[0].code); await bundle.close();`,
  ],
  [
    "webpack",
    `import webpack from "webpack"; import { resolve } from "node:path"; fs.writeFileSync("e.js", "import { a } from './a.js'; console.log(a);"); fs.writeFileSync("a.js", "export const a = 41 + 1;"); const stats = await new Promise((y, n) => webpack({ mode: "production", entry: resolve("e.js"), context: process.cwd(), output: { path: resolve("dist") }, devtool: false }, (e, s) => e ? n(e) : y(s))); say(stats.hasErrors(), fs.readFileSync("dist/main.js", "utf8"));`,
  ],
  [
    "babel",
    `import babel from "@babel/core"; say((await babel.transformAsync("const f = (x: number): x is any => x ?? 1;", { filename: "a.ts", presets: ["@babel/preset-typescript"], configFile: false, cwd: new URL("..", import.meta.url).pathname })).code);`,
  ],
  [
    "swc (wasm)",
    `import swc from "@swc/wasm"; say((await swc.transform("enum A { B } class C { private x: number = 1 }", { jsc: { parser: { syntax: "typescript" }, target: "es2022" } })).code, (await swc.minify("function long(name) { return name + 1 }", { mangle: true, compress: true })).code);`,
  ],
  [
    "terser",
    `import { minify } from "terser"; say((await minify("function add(first, second) { return first + second } console.log(add(1, 2))", { toplevel: true, sourceMap: true })), await minify("let (").catch((e) => e.message));`,
  ],
  [
    "sass and less",
    `import * as sass from "sass"; import less from "less"; say(sass.compileString("$c: #336699; .a { &:hover { color: darken($c, 10%) } @each $i in 1, 2 { .b#{$i} { width: 10px * $i } } }", { logger: sass.Logger.silent }).css, (await less.render("@w: 10px; .m(@x) { width: @x * 2 } .a { .m(@w); .b { color: fade(#000, 50%) } }")).css);`,
  ],
  [
    "postcss with autoprefixer",
    `import postcss from "postcss"; import autoprefixer from "autoprefixer"; say((await postcss([autoprefixer({ overrideBrowserslist: ["chrome 40"] })]).process(".a { user-select: none; display: flex }", { from: undefined })).css);`,
  ],
  [
    "eslint",
    `import { ESLint } from "eslint"; const eslint = new ESLint({ overrideConfigFile: true, overrideConfig: [{ rules: { "no-unused-vars": "error", "prefer-const": "warn", semi: "error" } }], fix: true }); const [result] = await eslint.lintText("let a = 1\\nlet b = 2; console.log(b)"); say(result.messages.map((m) => [m.ruleId, m.line, m.message]), result.output ?? "");`,
  ],
  [
    "prettier",
    `import * as prettier from "prettier"; say(await prettier.format("const a={b:1,c:[1,2,3]};function f( x ){return x}", { parser: "babel" }), await prettier.format("a{b:c}", { parser: "css" }), await prettier.check("x;\\n", { parser: "babel" }), await prettier.format("let (", { parser: "babel" }).catch((e) => e.name));`,
  ],
  [
    "mocha",
    `import { execFileSync, spawnSync } from "node:child_process"; import { createRequire } from "node:module"; fs.writeFileSync("t.cjs", "const assert = require('assert'); describe('s', () => { it('good', () => {}); it('later', (done) => setTimeout(done, 5)); it('bad', () => assert.equal(1, 2)); it.skip('no'); });"); const { status, stdout } = spawnSync(process.execPath, [createRequire(import.meta.url).resolve("mocha/bin/mocha.js"), "--reporter", "tap", "t.cjs"], { encoding: "utf8" }); say(status, stdout.split("\\n").filter((l) => /^(ok|not ok|#|1)/.test(l)));`,
  ],
  [
    "react",
    `import React from "react"; import { renderToString, renderToPipeableStream } from "react-dom/server"; import { PassThrough } from "node:stream"; const h = React.createElement; const App = () => { const [n] = React.useState(3); return h("ul", null, Array.from({ length: n }, (_, i) => h("li", { key: i }, "<", i))); }; say(renderToString(h(App))); const out = new PassThrough(); const { pipe } = renderToPipeableStream(h(App), { onAllReady() { pipe(out); } }); let text = ""; for await (const c of out) text += c; say(text);`,
  ],
  [
    "vue",
    `import { createSSRApp, ref, h } from "vue"; import { renderToString } from "vue/server-renderer"; say(await renderToString(createSSRApp({ setup: () => { const n = ref(2); return { n }; }, template: '<p v-for="i in n">{{ i }}</p><slot/>' })));`,
  ],
  [
    "svelte",
    `import { compile } from "svelte/compiler"; import { render } from "svelte/server"; const { js } = compile("<script>let { name } = $props(); let twice = $derived(name + name);</script>{#if name}<p>{twice}</p>{/if}", { generate: "server", name: "A" }); const file = new URL("./svelte-made-" + process.pid + ".mjs", import.meta.url); say(js.code.includes("svelte/internal/server")); const inner = await import("data:text/javascript," + encodeURIComponent(js.code.replaceAll("'svelte/", "'" + new URL("../node_modules/svelte/src/", import.meta.url).href + "").replace("internal/server'", "internal/server/index.js'"))); say(render(inner.default, { props: { name: "x" } }).body);`,
  ],
  [
    "ts-morph",
    `import { Project } from "ts-morph"; const project = new Project({ useInMemoryFileSystem: true }); const file = project.createSourceFile("a.ts", "class A { b() { return 1 } }"); file.getClass("A").addProperty({ name: "c", type: "string" }); file.getClass("A").getMethod("b").rename("d"); say(file.getFullText());`,
  ],
  [
    "acorn",
    `import * as acorn from "acorn"; say(acorn.parse("a?.b ?? c", { ecmaVersion: "latest" }).body[0].expression.type, [...acorn.tokenizer("let x = /r/u", { ecmaVersion: 2024 })].map((t) => t.type.label));`,
  ],
].map(([name, program]) => [name, saying + program]);
