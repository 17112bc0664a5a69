/**
 * Owns the parts that the older generation was put together from and that mean little now: the
 * engine's handle and the network adapter.
 *
 * Invariant: none of them gives a program anything of the host's.
 */

/**
 * The engine of machines; there is nothing to dispose of.
 * @example
 * const factory = createNodeRuntimeDriverFactory({ v8Runtime: await createNodeV8Runtime() });
 */
export class NodeV8Runtime {
  /** Does nothing. Never rejects. */
  async dispose(): Promise<void> {}
}

/**
 * The engine is started with the first machine; this only has a name to give to the factory. Never rejects.
 * @example
 * const v8Runtime = await createNodeV8Runtime();
 */
export async function createNodeV8Runtime(): Promise<NodeV8Runtime> {
  return new NodeV8Runtime();
}

/**
 * Says that programs use the machine's network, as far as the permissions go.
 * @example
 * const driver = createNodeDriver({ networkAdapter: createDefaultNetworkAdapter() });
 */
export class DefaultNetworkAdapter {}

/**
 * What `createNodeDriver({ networkAdapter })` takes. Never throws.
 * @example
 * const driver = createNodeDriver({ networkAdapter: createDefaultNetworkAdapter() });
 */
export function createDefaultNetworkAdapter(): DefaultNetworkAdapter {
  return Object.freeze(new DefaultNetworkAdapter());
}
