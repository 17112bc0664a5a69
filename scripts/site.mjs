// Builds the documentation's site into site/build/out: `npm run site`. The pages are those of docs/ as they stand; this
// script puts them where VitePress looks, has links to files that are no pages lead to the repository, and writes
// llms.txt (https://llmstxt.org) and llms-full.txt beside them. A link that leads nowhere is an error.
// VitePress is a package apart, in site/, and is installed with the first build.
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { pageFiles, titleOf, withoutFences } from "./pages.mjs";
import { groupsWith } from "../site/pages.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
// Below site/, where its packages are found.
const build = join(root, "site/build");
const repository = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).homepage.replace(
  /#.*/,
  "",
);

/** Where a page of the repository is on the site. */
export function placeOf(file) {
  if (file === "README.md") return "index.md";
  return file
    .replace(/^docs\//, "")
    .replace(/^(.*\/)?README\.md$/, "$1index.md")
    .replace(/^[A-Z]+\.md$/, (name) => name.toLowerCase());
}

/** What a link of `file` is on the site. Throws for one that leads nowhere. */
export function linkOf(file, link, pages) {
  if (/^(?:[a-z]+:|#)/.test(link)) return link;
  const [, path, anchor = ""] = /^([^#]*)(#.*)?$/.exec(link);
  const target = posix.normalize(posix.join(posix.dirname(file), path)).replace(/\/$/, "");
  if (!existsSync(join(root, target))) throw new Error(`${file}: ${link} leads nowhere`);
  if (pages.includes(target)) {
    const from = posix.dirname(placeOf(file));
    const to = posix.relative(from, placeOf(target));
    return (to.startsWith(".") ? to : `./${to}`) + anchor;
  }
  if (/\.(?:png|svg)$/.test(target)) return link;
  const kind = statSync(join(root, target)).isDirectory() ? "tree" : "blob";
  return `${repository}/${kind}/main/${target}${anchor}`;
}

function stage(pages, groups) {
  const folder = join(build, "pages");
  for (const file of pages) {
    const text = readFileSync(join(root, file), "utf8");
    const linked = withoutFences(text, (prose) =>
      prose
        .replace(
          /(\]\()([^)\s]+)(\))/g,
          (_, open, link, close) => open + linkOf(file, link, pages) + close,
        )
        // Vue would take these for its own.
        .replaceAll("{{", "&#123;&#123;"),
    );
    const target = join(folder, placeOf(file));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, linked);
  }
  cpSync(join(root, "docs/images"), join(folder, "images"), { recursive: true });
  mkdirSync(join(folder, "public"));
  cpSync(join(root, "src/playground/page/icon.svg"), join(folder, "public/icon.svg"));
  const sidebar = groups.map(({ title, pages: own }) => ({
    text: title,
    items: own.map((file) => ({
      text: titleOf(readFileSync(join(root, file), "utf8")),
      link: `/${placeOf(file).replace(/(?:index)?\.md$/, "")}`,
    })),
  }));
  const config = join(build, "site.json");
  writeFileSync(config, JSON.stringify({ pages: folder, sidebar }));
  return config;
}

/** The first sentence of a page, without its links. */
function firstSentence(text) {
  const paragraph = text
    .split("\n\n")
    .find((part) => /^[A-Z`]/.test(part) && !part.startsWith("    "));
  return (paragraph ?? "")
    .replaceAll("\n", " ")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/^(.*?[.:])(?: .*)?$/, "$1")
    .replace(/:$/, ".");
}

/** What llmstxt.org describes: the pages with a line each, and everything in one file. */
function writeForModels(folder, groups) {
  const about =
    "Run untrusted Node.js code in a virtual machine of its own: a genuine Node process that the operating system has locked in.";
  const lines = groups.map(
    ({ title, pages }) =>
      `## ${title}\n\n${pages
        .map((file) => {
          const text = readFileSync(join(root, file), "utf8");
          return `- [${titleOf(text)}](/${placeOf(file)}): ${firstSentence(text)}`;
        })
        .join("\n")}\n`,
  );
  writeFileSync(join(folder, "llms.txt"), `# secure-exec\n\n> ${about}\n\n${lines.join("\n")}`);
  const all = groups.flatMap(({ pages }) => pages);
  const full = all
    .map((file) => readFileSync(join(root, file), "utf8").trimEnd())
    .join("\n\n---\n\n");
  writeFileSync(join(folder, "llms-full.txt"), `${full}\n`);
  // Each page as it is written, for who follows a link of llms.txt.
  for (const file of all) {
    const target = join(folder, placeOf(file));
    mkdirSync(dirname(target), { recursive: true });
    cpSync(join(root, file), target);
  }
}

function main() {
  const site = join(root, "site");
  if (!existsSync(join(site, "node_modules/vitepress")))
    execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
      cwd: site,
      stdio: "inherit",
    });
  rmSync(build, { recursive: true, force: true });
  mkdirSync(build, { recursive: true });
  const pages = pageFiles();
  const groups = groupsWith(pages);
  const config = stage(pages, groups);
  execFileSync(
    process.execPath,
    [join(site, "node_modules/vitepress/bin/vitepress.js"), "build", site],
    {
      cwd: site,
      stdio: "inherit",
      env: { ...process.env, SECURE_EXEC_SITE: config },
    },
  );
  // Behind the build: VitePress would make pages of them.
  writeForModels(join(build, "out"), groups);
  console.log(`the site is in ${join(build, "out")}`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) main();
