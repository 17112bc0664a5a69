/**
 * Owns the question whether a policy that is to narrow another one would allow something that the
 * other does not. It is asked of examples, made from every pattern of both, so that a mistake is told;
 * nothing depends on the answer being complete, because a narrowed machine needs the leave of both.
 */
import type { Request, ScopePolicy, Scope } from "../../protocol/permissions.js";
import { permissionScopes } from "../../protocol/permissions.js";
import { parseNetworkPattern } from "../../protocol/permission-patterns.js";
import { resourceOf } from "./decision.js";
import { ScopeJudge } from "./scope-judge.js";

const sample = "example";

/** Texts that a path or name pattern matches. */
function textsOf(pattern: string): string[] {
  const fill = (deep: string): string =>
    pattern
      .replace(/\\(.)|\*\*|\*|\?/g, (found: string, escaped: string | undefined) =>
        escaped !== undefined ? escaped : found === "**" ? deep : found === "*" ? sample : "e",
      )
      .replace(/\/{2,}/g, "/")
      .replace(/(.)\/$/, "$1");
  return pattern.includes("**") ? [fill(""), fill(sample), fill(`${sample}/a.txt`)] : [fill("")];
}

function networkExamples(pattern: string): Request[] {
  const { host, port, protocol } = parseNetworkPattern(pattern);
  const hostname =
    host.kind === "any"
      ? `${sample}.com`
      : host.kind === "range"
        ? host.address
        : host.below
          ? `${sample}.${host.name}`
          : host.name;
  const address = host.kind === "range" ? { address: hostname } : {};
  const ports = port === undefined ? [443, 9] : [port];
  const connections = (protocol === "tcp" || protocol === "udp" ? [protocol] : ["tcp", "udp"]) as (
    | "tcp"
    | "udp"
  )[];
  const loopback = hostname === "localhost";
  const common = { scope: "network", hostname, ...address, loopback } as const;
  return [
    { ...common, operation: "dns", protocol: "dns" },
    ...ports.flatMap((number) =>
      connections.flatMap((one): Request[] => [
        { ...common, operation: "http", protocol: one, port: number },
        { ...common, operation: "listen", protocol: one, port: number, loopback: true },
      ]),
    ),
  ];
}

/** Requests that a pattern of the scope matches, one of each operation. */
function examplesOf(scope: Scope, pattern: string): Request[] {
  if (scope === "network") return networkExamples(pattern);
  const operations = Object.keys(permissionScopes[scope].operations);
  return textsOf(pattern).flatMap((text) =>
    operations.map((operation): Request => {
      const common = { scope, operation };
      const file = text.includes("/") ? text : `/usr/bin/${text}`;
      const rest =
        scope === "fs"
          ? { path: text === "" ? "/" : text }
          : scope === "childProcess"
            ? { command: text, path: file, args: [], cwd: "/", env: {} }
            : scope === "process"
              ? { pid: /^\d+$/.test(text) ? Number(text) : 1_000_000, command: text }
              : { name: text };
      return { ...common, ...rest } as Request;
    }),
  );
}

function patternsOf(policy: ScopePolicy): string[] {
  if (typeof policy === "string") return [];
  return policy.rules.flatMap(({ patterns = [] }) => patterns);
}

/** Whether there is anything that it allows: rules that only deny are never wider. */
function allowsSomething(policy: ScopePolicy): boolean {
  if (typeof policy === "string") return policy !== "deny";
  return policy.default === "allow" || policy.rules.some(({ mode }) => mode === "allow");
}

/** What `next` would allow that `judge`, made of `former`, denies: in words, or undefined. */
export function wideningOf(
  scope: Scope,
  judge: ScopeJudge,
  former: readonly ScopePolicy[],
  next: ScopePolicy,
): string | undefined {
  if (!allowsSomething(next) || judge.allowsAll) return undefined;
  if (former.includes("deny")) return "everything is denied there";
  if (next === "allow") return "not everything is allowed there";
  if (next === "ask") return undefined;
  const other = scope === "fs" ? `/${sample}/other` : scope === "network" ? "*" : `${sample}-other`;
  const patterns = new Set([...former.flatMap(patternsOf), ...patternsOf(next), other]);
  const asked = new ScopeJudge(scope, next);
  for (const pattern of patterns)
    for (const request of examplesOf(scope, pattern))
      if (asked.verdict(request).mode === "allow" && judge.verdict(request).mode === "deny")
        return `${request.operation} of ${resourceOf(request)} is denied there`;
  return undefined;
}
