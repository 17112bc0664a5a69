/**
 * Owns what the command line says after a program has failed for want of something that an option gives: what is
 * beside it on the host, packages, a host of the network, a port of the host's loopback.
 *
 * Untrusted: the program's output and what it asked for. Of both, plain names of hosts are printed and nothing else:
 * which directory would be shown, the host's own files say, and never the program.
 */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
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
  /** The command that shows it what is beside it, where it was given without. */
  besides: string | undefined;
  decisions: readonly NodeRuntimeDecision[];
}

const plainWord = /^[\w@%+=:,./-]+$/;

/** Where none can be copied as it is: the directory is too much to show, or a name is not to be printed. */
const anyCommand = "secure-exec run --project DIR FILE";

/** As one word of a shell. */
function wordOf(path: string): string {
  return plainWord.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

/**
 * The command that runs `file`, or what stands for it, with what is beside it: the package that it belongs to, or else
 * its own directory, but for the user's home and what that is in.
 */
export function commandWithProject(file: string, isFile = true): string {
  const own = isFile ? dirname(resolve(file)) : process.cwd();
  const isTooWide = (at: string): boolean => at === "/" || `${homedir()}/`.startsWith(`${at}/`);
  if (isTooWide(own)) return anyCommand;
  let top = own;
  for (let at = own; !isTooWide(at); at = dirname(at))
    if (existsSync(join(at, "package.json"))) {
      top = at;
      break;
    }
  const words = [relative("", top) || ".", ...(isFile ? [file] : [])];
  // oxlint-disable-next-line no-control-regex -- what a terminal would act on
  if (words.some((word) => /[\x00-\x1f\x7f-\x9f]/.test(word))) return anyCommand;
  const [directory, ...rest] = words.map(wordOf);
  return ["secure-exec run --project", directory, ...(isFile ? rest : [file])].join(" ");
}

function missingHint({ output, besides }: Failure): string | undefined {
  const [, kind, name = ""] = missing.exec(output) ?? [];
  if (kind === undefined) return undefined;
  const isFile = kind === "module" && /^[./]/.test(name);
  if (!isFile)
    return besides === undefined
      ? "packages of the host are there with --node-modules DIR"
      : `packages of the host are there with --node-modules DIR, or, with all else that is beside the program: ${besides}`;
  return besides && `nothing of the host is beside the program; to show it, read-only: ${besides}`;
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
