/**
 * Owns what the command line says after a program has failed for want of something that an option gives: what is
 * beside it on the host, packages, a host of the network, a port of the host's loopback.
 *
 * Untrusted: the program's output and what it asked for. Of both, plain names of hosts are printed and nothing else.
 */
import type { NodeRuntimeDecision } from "../sdk/option-types.js";

/** Characters of the output's end in which an error is looked for. */
export const mostLookedAt = 8192;

/** That one hint names. */
const mostHosts = 3;

/** As Node says it: a file that is imported or required, or a package. */
const missing = /Cannot find (module|package) '([^'\n]{1,300})'/;

interface Failure {
  /** The end of what it wrote. */
  output: string;
  /** Whether it was given as one file, with nothing beside it. */
  alone: boolean;
  decisions: readonly NodeRuntimeDecision[];
}

function missingHint({ output, alone }: Failure): string | undefined {
  const [, kind, name = ""] = missing.exec(output) ?? [];
  if (kind === undefined) return undefined;
  const isFile = kind === "module" && /^[./]/.test(name);
  if (!isFile)
    return `packages of the host are there with --node-modules DIR, or with the directory that --project shows`;
  return alone
    ? "nothing of the host is beside the program; --project DIR shows a directory, and runs a FILE in it from there"
    : undefined;
}

function networkHint({ decisions }: Failure): string | undefined {
  const hosts = new Set<string>();
  for (const { scope, decision, resource } of decisions) {
    if (scope !== "network" || decision !== "deny") continue;
    // What a shell would read in another way is no host that anybody has to copy.
    const [, host] = /^\w+:\/\/([\w.:[\]-]{1,253})$/.exec(resource) ?? [];
    if (host !== undefined) hosts.add(host);
  }
  if (hosts.size === 0) return undefined;
  const named = [...hosts].slice(0, mostHosts).join(",");
  return `the network was denied; --allow-net=${named} allows it`;
}

/** As Node says it of a connection to the machine's own loopback that nothing there listens for. */
const refused = /\bECONNREFUSED (?:127\.0\.0\.1|::1|\[::1\]):(\d{1,5})\b/;

function loopbackHint({ output }: Failure): string | undefined {
  const [, port] = refused.exec(output) ?? [];
  if (port === undefined) return undefined;
  return `localhost is the machine's own; --port ${port}, with --allow-net=127.0.0.1:${port}, opens that port of the host's`;
}

/** What would help, one line each. */
export function hintsOf(failure: Failure): string[] {
  return [missingHint(failure), networkHint(failure), loopbackHint(failure)].filter(
    (hint) => hint !== undefined,
  );
}
