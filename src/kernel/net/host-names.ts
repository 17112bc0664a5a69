/**
 * Owns what the host's own files say about names: /etc/hosts, and the search list of
 * /etc/resolv.conf. They are read again when they have changed.
 *
 * Untrusted: nothing but their size; the host's administrator wrote them.
 */
import { readFileSync, statSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { parseAddress } from "./address.js";

const fileBytes = 1024 * 1024;
/** resolv.conf(5) */
const defaultNdots = 1;
const maxNdots = 15;
const maxSearch = 6;

/** The parsed form of a file, for as long as it stays the same. */
function cached<T>(path: string, parse: (text: string) => T): () => T {
  let value: T | undefined;
  let seen = "";
  return () => {
    let stamp = "none";
    let text = "";
    try {
      const { mtimeMs, size, ino } = statSync(path);
      stamp = `${mtimeMs} ${size} ${ino}`;
      if (stamp !== seen && size <= fileBytes) text = readFileSync(path, "utf8");
    } catch {
      // Without the file there is nothing in it.
    }
    if (value === undefined || stamp !== seen) value = parse(text);
    seen = stamp;
    return value;
  };
}

const fields = (line: string): string[] =>
  line
    .replace(/[#;].*$/, "")
    .trim()
    .split(/\s+/);

const hosts = cached("/etc/hosts", (text) => {
  const byName = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [address = "", ...names] = fields(line.replace(/;.*$/, ""));
    if (parseAddress(address) === undefined) continue;
    for (const name of names) {
      const known = byName.get(name.toLowerCase()) ?? [];
      if (!known.includes(address)) byName.set(name.toLowerCase(), [...known, address]);
    }
  }
  return byName;
});

const resolverFile = cached("/etc/resolv.conf", (text) => {
  let search: string[] = [];
  let ndots = defaultNdots;
  for (const line of text.split("\n")) {
    const [keyword, ...values] = fields(line);
    if (keyword === "search" || keyword === "domain")
      search = values.filter((domain) => domain !== ".").slice(0, maxSearch);
    if (keyword !== "options") continue;
    for (const value of values) {
      const given = /^ndots:(\d+)$/.exec(value);
      if (given !== null) ndots = Math.min(maxNdots, Number(given[1]));
    }
  }
  return { search, ndots };
});

/** Addresses of /etc/hosts for `name` in lower case. */
export function addressesInHosts(name: string): readonly string[] {
  return hosts().get(name) ?? [];
}

/** What to ask a name server for, in this order, until something is found. */
export function searchNames(name: string): string[] {
  const { search, ndots } = resolverFile();
  const below = search.map((domain) => `${name}.${domain}`);
  return name.split(".").length > ndots ? [name, ...below] : [...below, name];
}

/** Whether the host reaches anything by IPv6; otherwise such addresses come last. */
export function hasGlobalIpv6(): boolean {
  return Object.values(networkInterfaces())
    .flat()
    .some((one) => one?.family === "IPv6" && !one.internal && !/^fe80:/i.test(one.address));
}
