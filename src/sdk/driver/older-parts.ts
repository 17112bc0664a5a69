/**
 * Owns the parts that the older generation was put together from and that mean little now: the
 * engine's handle and the network adapter.
 *
 * Invariant: none of them gives a program anything of the host's.
 */

/** The engine of machines; there is nothing to dispose of. */
export class NodeV8Runtime {
  async dispose(): Promise<void> {}
}

/** The engine is started with the first machine; this only has a name to give to the factory. */
export async function createNodeV8Runtime(): Promise<NodeV8Runtime> {
  return new NodeV8Runtime();
}

/** Says that programs use the machine's network, as far as the permissions go. */
export class DefaultNetworkAdapter {}

export function createDefaultNetworkAdapter(): DefaultNetworkAdapter {
  return Object.freeze(new DefaultNetworkAdapter());
}
