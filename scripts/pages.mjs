// The pages of the documentation as texts: which there are, their titles, links, anchors and blocks of code.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Every page, as paths in the repository. */
export function pageFiles() {
  const top = readdirSync(root).filter((name) => name.endsWith(".md"));
  const docs = readdirSync(join(root, "docs"), { recursive: true })
    .map((name) => `docs/${String(name)}`)
    .filter((name) => name.endsWith(".md"));
  return [...top, ...docs, "skills/secure-exec/SKILL.md"].sort();
}

export const textOf = (file) => readFileSync(join(root, file), "utf8");

export function titleOf(text) {
  const title = /^# (.+)$/m.exec(text)?.[1];
  if (title === undefined) throw new Error("a page has no title");
  return title.replaceAll("`", "");
}

const fence = /^(```+)(\w*)[^\n]*\n([\s\S]*?)^\1$/gm;

/** Fenced blocks: language, text, line of the first one, and the language and text of a block right behind. */
export function blocksOf(text) {
  const all = [...text.matchAll(fence)].map((match) => ({
    language: match[2],
    text: match[3],
    line: text.slice(0, match.index).split("\n").length + 1,
    start: match.index,
    end: match.index + match[0].length,
  }));
  return all.map((block, at) => {
    const next = all[at + 1];
    const follows = next !== undefined && /^\s*$/.test(text.slice(block.end, next.start));
    return { ...block, next: follows ? next : undefined };
  });
}

/** `text` with `change` applied to what is neither in a fence, nor indented code, nor in backquotes. */
export function withoutFences(text, change) {
  return text
    .split(/(^```[\s\S]*?^```$|^ {4}.*$|``[^\n]*?``|`[^`\n]*`)/m)
    .map((part, at) => (at % 2 === 0 ? change(part) : part))
    .join("");
}

/** What links of a page lead to. */
export function linksOf(text) {
  const links = [];
  withoutFences(text, (prose) => {
    for (const [, link] of prose.matchAll(/\]\(([^)\s]+)\)/g)) links.push(link);
    return prose;
  });
  return links;
}

/** Anchors of a page's headings, as GitHub and VitePress make them. */
export function anchorsOf(text) {
  const seen = new Map();
  return text
    .replaceAll(fence, "")
    .split("\n")
    .filter((line) => /^#{1,6} /.test(line))
    .map((line) => {
      const plain = line
        .replace(/^#+ /, "")
        .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .trim()
        .replace(/\s/g, "-");
      const times = seen.get(plain) ?? 0;
      seen.set(plain, times + 1);
      return times === 0 ? plain : `${plain}-${times}`;
    });
}
