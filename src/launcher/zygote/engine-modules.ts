/** How the engine's own modules and bindings are reached, before they are hidden. */

// oxlint-disable-next-line typescript/no-explicit-any -- Node's internals have no types that anybody maintains
type EngineModule = any;
export type RequireBuiltin = (id: string) => EngineModule;
export type InternalBinding = (name: string) => EngineModule;
