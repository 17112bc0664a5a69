// How the site looks; scripts/site.mjs prepares the pages and says where they are.
import { readFileSync } from "node:fs";

const { pages, sidebar } = JSON.parse(readFileSync(process.env.SECURE_EXEC_SITE, "utf8"));

/** A corner of a table that says nothing is no header. */
function emptyHeaders({ tokens }) {
  for (const [at, token] of tokens.entries())
    if (token.type === "th_open" && tokens[at + 1].content === "")
      token.tag = tokens[at + 2].tag = "td";
}

export default {
  title: "secure-exec",
  description: "Run untrusted Node.js code in a virtual machine of its own.",
  lang: "en",
  srcDir: pages,
  outDir: `${pages}/../out`,
  cacheDir: `${pages}/../cache`,
  base: process.env.SECURE_EXEC_SITE_BASE ?? "/",
  // A link that leads nowhere ends the build.
  ignoreDeadLinks: false,
  lastUpdated: false,
  cleanUrls: false,
  markdown: {
    // VitePress's own themes of code fall short of 4.5 to 1 here and there.
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    config: (md) => md.core.ruler.push("empty-headers", emptyHeaders),
  },
  // The site asks nobody else for anything.
  head: [["link", { rel: "icon", type: "image/svg+xml", href: "/icon.svg" }]],
  themeConfig: {
    search: { provider: "local" },
    sidebar,
    nav: [
      { text: "Start", link: "/start" },
      { text: "API", link: "/api" },
      { text: "Security", link: "/security-model" },
      { text: "For models", link: "/llms.txt", target: "_blank" },
    ],
    outline: { level: [2, 3] },
    externalLinkIcon: true,
    docFooter: { prev: "Before", next: "Next" },
  },
};
