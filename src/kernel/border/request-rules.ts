/**
 * Owns which hosts a machine's border looks into, and which requests to them may leave.
 *
 * Invariants: a host that a rule names gets only requests that a rule allows; a path that servers may
 * read in more than one way is no path that a rule names.
 * Untrusted: names, methods and paths of requests. Patterns are the host's.
 */
import type { RequestRule } from "../../protocol/border.js";
import { HostPattern } from "../../protocol/host-pattern.js";
import { parsePathGlob } from "../../protocol/permission-patterns.js";
import type { PathGlob } from "../../protocol/permission-patterns.js";
import { matchesPath } from "../policy/glob.js";

/** The path as a server will read it, or undefined where two servers may read two paths. */
function plainPathOf(target: string): string | undefined {
  const path = target.split("?", 1)[0]!;
  const parts: string[] = [];
  for (const part of path.split("/")) {
    let plain: string;
    try {
      plain = decodeURIComponent(part);
    } catch {
      return undefined;
    }
    // Some drop what follows a semicolon before they go up.
    if (/^\.{1,2}(?:;.*)?$/.test(plain) || /[/\\\0%]/.test(plain)) return undefined;
    parts.push(plain);
  }
  return parts.join("/");
}

interface Rule {
  readonly host: HostPattern;
  readonly methods: ReadonlySet<string> | undefined;
  readonly paths: readonly PathGlob[] | undefined;
}

export class RequestRules {
  readonly #hosts: readonly HostPattern[];
  readonly #rules: readonly Rule[];

  constructor(hosts: readonly string[], rules: readonly RequestRule[]) {
    this.#hosts = hosts.map((text) => new HostPattern(text));
    this.#rules = rules.map(({ host, methods, paths }) => ({
      host: new HostPattern(host),
      methods: methods && new Set(methods),
      paths: paths?.map(parsePathGlob),
    }));
  }

  /** The pattern under which requests to `name` are looked into, if they are. */
  patternOf(name: string, port: number): string | undefined {
    return this.#hosts.find((host) => host.matches(name, port))?.text;
  }

  /** What decides about a request: the index of the rule that allows it, "allow" where no rule is about the host, or "deny". */
  verdict(host: string, port: number, method: string, target: string): number | "allow" | "deny" {
    let about = false;
    const path = plainPathOf(target);
    for (const [index, rule] of this.#rules.entries()) {
      if (!rule.host.matches(host, port)) continue;
      about = true;
      if (rule.methods !== undefined && !rule.methods.has(method)) continue;
      if (rule.paths === undefined) return index;
      if (path !== undefined && rule.paths.some((glob) => matchesPath(glob, path))) return index;
    }
    return about ? "deny" : "allow";
  }
}
