// The built site (`npm run site`), page by page in a browser: axe finds nothing in light and dark, nothing is asked of another
// host, search finds things, and what models read is there.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import http from "node:http";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { closeBrowser, newPage, noBrowser } from "../support/browser.mjs";

const out = fileURLToPath(new URL("../../site/build/out", import.meta.url));
const notBuilt = existsSync(join(out, "llms.txt"))
  ? false
  : "the site is not built here: npm run site";
const skip = notBuilt || noBrowser;
const types = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
  ".png": "image/png",
};

/** @type {string} */
let address;
const server = http.createServer((request, response) => {
  const path = decodeURIComponent(new URL(request.url, "http://site").pathname);
  const file = join(out, path.endsWith("/") ? `${path}index.html` : path);
  if (!file.startsWith(out) || !existsSync(file)) return void response.writeHead(404).end();
  response.writeHead(200, { "content-type": types[extname(file)] ?? "text/plain" });
  response.end(readFileSync(file));
});
before(async () => {
  if (skip) return;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  address = `http://127.0.0.1:${port}`;
});
after(async () => {
  server.close();
  server.closeAllConnections();
  await closeBrowser();
});

const pages = skip
  ? []
  : readdirSync(out, { recursive: true })
      .map(String)
      .filter((name) => name.endsWith(".html") && name !== "404.html")
      .sort();

test("there are pages to look at", { skip }, () => assert.ok(pages.length > 40));

/** So many in one test, so that each has time on a slow machine. */
const atOnce = 8;
for (let first = 0; first < pages.length; first += atOnce) {
  const some = pages.slice(first, first + atOnce);
  test(
    `axe finds nothing in light and dark, from ${some[0]} on`,
    { timeout: 290_000 },
    async () => {
      const page = await newPage();
      const found = [];
      for (const name of some) {
        await page.goto(`${address}/${name}`);
        await page.until(`document.querySelector(".vp-doc h1") !== null`);
        for (const scheme of ["light", "dark"]) {
          await page.prefer(scheme);
          await page.until(
            `document.documentElement.classList.contains("dark") === ${scheme === "dark"}`,
          );
          found.push(...(await page.axe()).map((line) => `${name}, ${scheme}: ${line}`));
        }
      }
      assert.deepEqual(found, []);
    },
  );
}

test(
  "nothing is asked of another host, and search finds a page",
  { skip, timeout: 120_000 },
  async () => {
    const page = await newPage();
    await page.goto(`${address}/start.html`);
    await page.until(`document.querySelector(".VPNavBarSearch button") !== null`);
    await page.until(
      `(document.querySelector(".VPNavBarSearch button").click(), document.querySelector("#localsearch-input") !== null)`,
    );
    await page.until(
      `(document.querySelector("#localsearch-input").focus(), document.activeElement.id === "localsearch-input")`,
    );
    await page.type("setPermissions");
    await page.until(`/Permissions/.test(document.querySelector("#localsearch-list").innerText)`);
    const foreign = await page.evaluate(
      `performance.getEntriesByType("resource").map(({ name }) => name).filter((name) => !name.startsWith(location.origin))`,
    );
    assert.deepEqual(foreign, []);
    assert.deepEqual(page.complaints, []);
  },
);

test("what models read: a list of all pages, each as it is written", { skip: notBuilt }, () => {
  const list = readFileSync(join(out, "llms.txt"), "utf8");
  assert.match(list, /^# secure-exec\n\n> /);
  const links = [...list.matchAll(/^- \[[^\]]+\]\(\/([^)]+)\): \S/gm)].map(([, link]) => link);
  assert.ok(links.length > 40);
  for (const link of links) assert.match(readFileSync(join(out, link), "utf8"), /^# /m, link);
  assert.ok(readFileSync(join(out, "llms-full.txt"), "utf8").includes("# Five-minute start"));
});
