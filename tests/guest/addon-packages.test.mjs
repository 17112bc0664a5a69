// Packages with native parts do their work in a machine with native addons: what plain Node would do with them.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { addonFixtures } from "../../scripts/fixtures.mjs";
import { noAddons } from "../support/addons.mjs";
import { NodeRuntime } from "../../dist/index.js";

let directory;
let unreachable = process.arch === "x64" ? false : noAddons;
if (!unreachable) {
  try {
    directory = addonFixtures();
  } catch (error) {
    unreachable = `the packages cannot be installed here: ${String(error.message).split("\n")[0]}`;
  }
}

describe("packages with native addons", { skip: unreachable }, () => {
  let rt;
  before(async () => {
    rt = await NodeRuntime.create({
      nativeAddons: true,
      nodeModules: join(directory, "node_modules"),
    });
  });
  after(() => rt.dispose());
  const run = async (program) => {
    const { value, exitCode, stderr } = await rt.run(program);
    assert.equal(exitCode, 0, stderr);
    return value;
  };

  it("bcrypt hashes and compares, here and in the thread pool", async () => {
    const value = await run(`
      import bcrypt from "bcrypt";
      const hash = bcrypt.hashSync("secret", 4);
      __return([bcrypt.compareSync("secret", hash), await bcrypt.compare("other", hash), (await bcrypt.hash("x", 4)).length]);`);
    assert.deepEqual(value, [true, false, 60]);
  });

  it("rollup bundles modules that a plugin has, and those of the machine's files", async () => {
    const value = await run(`
      import { writeFileSync } from "node:fs";
      import { rollup } from "rollup";
      writeFileSync("/tmp/entry.js", 'import { x } from "virtual"; import { y } from "./other.js"; console.log(x, y);');
      writeFileSync("/tmp/other.js", "export const y = 2; export const unused = 3;");
      const virtual = { resolveId: (id) => (id === "virtual" ? id : null), load: (id) => (id === "virtual" ? "export const x = 1;" : null) };
      const bundle = await rollup({ input: "/tmp/entry.js", plugins: [virtual] });
      const { output } = await bundle.generate({ format: "es" });
      __return(output[0].code);`);
    assert.equal(value, "const x = 1;\n\nconst y = 2;\n\nconsole.log(x, y);\n");
  });

  it("lightningcss transforms a style sheet", async () => {
    const value = await run(`
      import { transform } from "lightningcss";
      const code = Buffer.from(".a { color: red; .b & { color: rgba(255, 0, 0, 0.5) } }");
      __return(transform({ filename: "a.css", code, minify: true, targets: { chrome: 90 << 16 } }).code.toString());`);
    assert.equal(value, ".a{color:red}.b .a{color:#ff000080}");
  });

  it("@swc/core compiles TypeScript", async () => {
    const value = await run(`
      import { transformSync } from "@swc/core";
      const options = { jsc: { parser: { syntax: "typescript" }, target: "es2015" } };
      __return(transformSync("export const f = <T,>(x: T) => x?.y;", options).code);`);
    assert.equal(value, "export const f = (x)=>x === null || x === void 0 ? void 0 : x.y;\n");
  });

  it("sharp makes, resizes and converts images; its library is a sibling", async () => {
    const value = await run(`
      import sharp from "sharp";
      const create = { width: 64, height: 32, channels: 3, background: { r: 255, g: 0, b: 0 } };
      const png = await sharp({ create }).png().toBuffer();
      const { data, info } = await sharp(png).resize(8, 4).raw().toBuffer({ resolveWithObject: true });
      const { format } = await sharp(await sharp(png).webp().toBuffer()).metadata();
      __return([info.width, info.height, [...data.subarray(0, 3)], format]);`);
    assert.deepEqual(value, [8, 4, [255, 0, 0], "webp"]);
  });

  it("tree-sitter parses", async () => {
    const value = await run(`
      import Parser from "tree-sitter";
      import JavaScript from "tree-sitter-javascript";
      const parser = new Parser();
      parser.setLanguage(JavaScript);
      __return(parser.parse("let a = 1").rootNode.toString());`);
    const declared = "(variable_declarator name: (identifier) value: (number))";
    assert.equal(value, `(program (lexical_declaration ${declared}))`);
  });
});
