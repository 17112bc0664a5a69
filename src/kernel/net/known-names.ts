/**
 * Owns which names led a VM to which addresses, so that a connection can be judged
 * under the names it goes back to.
 *
 * Invariants: bounded in addresses, in names of each, and by the VM's account; a
 * name that cannot be remembered is not answered, or its denial would be lost.
 * Untrusted: the names, and what resolvers say about them.
 */
import { limits } from "../limits.js";
import type { Account } from "../machine/account.js";
import { embeddedIpv4, parseAddress, unmapped } from "./address.js";
import type { IpAddress } from "./address.js";

/** Of one address, the newest ones. */
const namesPerAddress = 16;
/** A string's own objects. */
const nameOverhead = 64;

interface Known {
  /** Newest last, each with what it is an alias of. */
  readonly names: ReadonlyMap<string, readonly string[]>;
  readonly bytes: number;
}

/** A UTF-16 unit of a name is at most two bytes. */
function costOf(names: Known["names"]): number {
  let bytes = 0;
  for (const [name, aliases] of names)
    for (const text of [name, ...aliases]) bytes += text.length * 2 + nameOverhead;
  return bytes;
}

export class KnownNames {
  readonly #account: Account;
  readonly #known = new Map<string, Known>();
  /** Names that no other name of the same address displaces. */
  keep: (name: string) => boolean = () => false;

  constructor(account: Account) {
    this.#account = account;
  }

  /** That `name`, an alias of `aliases`, led to these addresses; false when there is no room to remember. */
  remember(addresses: readonly string[], name: string, aliases: readonly string[]): boolean {
    return addresses.every((address) => {
      const ip = parseAddress(address);
      return ip === undefined || this.#add(ip.address, name, aliases);
    });
  }

  #add(address: string, name: string, aliases: readonly string[]): boolean {
    const names = new Map(this.#known.get(address)?.names);
    names.delete(name);
    names.set(name, aliases);
    if (names.size > namesPerAddress) {
      const all = [...names.keys()];
      names.delete(all.find((one) => !this.keep(one)) ?? all[0]!);
    }
    const bytes = costOf(names);
    if (!this.#account.take("name", bytes)) return false;
    this.#forget(address);
    this.#known.set(address, { names, bytes });
    if (this.#known.size > limits.resolvedNames) this.#forget(this.#leastNeeded());
    return true;
  }

  /** The oldest address, but for those with a name that is kept. */
  #leastNeeded(): string {
    for (const [address, { names }] of this.#known)
      if (![...names.keys()].some((name) => this.keep(name))) return address;
    return this.#known.keys().next().value!;
  }

  clear(): void {
    for (const address of this.#known.keys()) this.#forget(address);
  }

  #forget(address: string): void {
    const known = this.#known.get(address);
    if (known === undefined) return;
    this.#known.delete(address);
    this.#account.give("name", known.bytes);
  }

  /** The names that led to `ip` in any of its forms, newest first, and what they are aliases of. */
  of(ip: IpAddress): { names: string[]; aliases: string[] } {
    const forms = new Set([ip.address, unmapped(ip).address]);
    const inner = ip.family === 6 ? embeddedIpv4(ip.address) : undefined;
    if (inner !== undefined) forms.add(inner);
    const known = [...forms].flatMap((form) => [...(this.#known.get(form)?.names ?? [])]).reverse();
    return {
      names: [...new Set(known.map(([name]) => name))],
      aliases: [...new Set(known.flatMap(([, aliases]) => aliases))],
    };
  }
}
