// Which pages the site has, in which order: each group with its pages, as paths in the repository. A page of docs/ that is not
// here comes last.
const groups = [
  {
    title: "Start",
    pages: ["docs/start.md", "docs/use-cases.md", "docs/playground.md", "docs/command-line.md"],
  },
  {
    title: "Run programs",
    pages: [
      "docs/running.md",
      "docs/sdk.md",
      "docs/options.md",
      "docs/templates.md",
      "docs/snapshots.md",
      "docs/typescript.md",
      "docs/terminals.md",
      "docs/deterministic.md",
      "docs/platforms.md",
    ],
  },
  {
    title: "What a program may do",
    pages: [
      "docs/permissions.md",
      "docs/permissions-cookbook.md",
      "docs/audit.md",
      "docs/tools.md",
      "docs/secrets.md",
      "docs/limits.md",
      "docs/usage.md",
    ],
  },
  {
    title: "The machine it sees",
    pages: [
      "docs/file-system.md",
      "docs/network.md",
      "docs/processes.md",
      "docs/shell.md",
      "docs/commands.md",
      "docs/webassembly.md",
      "docs/compatibility.md",
      "docs/conformance.md",
    ],
  },
  {
    title: "Security",
    pages: ["docs/security-model.md", "SECURITY.md", "docs/isolation.md", "docs/system-calls.md"],
  },
  {
    title: "Operate",
    pages: ["docs/deployment.md", "docs/fleet.md", "docs/performance.md"],
  },
  {
    title: "Fit in",
    pages: [
      "docs/ports.md",
      "docs/ports/ai.md",
      "docs/ports/bash-tool.md",
      "docs/ports/codemode.md",
      "docs/ports/computesdk.md",
      "docs/ports/deepagents.md",
      "docs/ports/mastra.md",
      "docs/ports/mcp.md",
      "docs/ports/openai.md",
      "docs/ports/tanstack.md",
      "docs/migration.md",
      "docs/driver-api.md",
      "docs/compare.md",
    ],
  },
  {
    title: "Reference",
    pages: [
      "docs/api.md",
      "docs/ports/api.md",
      "docs/errors.md",
      "SPECIFICATION.md",
      "CHANGELOG.md",
    ],
  },
  {
    title: "How it is made",
    pages: [
      "docs/architecture.md",
      "docs/protocol.md",
      "docs/dependencies.md",
      "docs/decisions/README.md",
      "CONTRIBUTING.md",
    ],
  },
];

/** Pages of docs/ that no list leads to, because another page does. */
export const beside = /^docs\/decisions\/\d{4}-/;

/** The groups, with those of `pages` that are in none. */
export function groupsWith(pages) {
  const listed = new Set(groups.flatMap((group) => group.pages));
  const others = pages.filter(
    (file) => file.startsWith("docs/") && !beside.test(file) && !listed.has(file),
  );
  return others.length === 0 ? groups : [...groups, { title: "More", pages: others }];
}
