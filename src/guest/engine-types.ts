/**
 * Owns the types of what Node's own JavaScript and C++ share with our bindings: values that have no
 * types anybody maintains. Each says what is used of it here, and no more. Nothing of it can be
 * trusted: a program reaches most of these objects.
 */

/** A request that JavaScript made for an operation and C++ would complete; ReqWrap of src/req_wrap.h. */
export interface EngineRequest {
  oncomplete?(...results: unknown[]): void;
}

/** What `getsockname` and `getpeername` fill. */
export interface AddressOut {
  address?: string;
  family?: string;
  port?: number;
}

/** What C++ fills in place of throwing; `ctx` of src/node_errors.cc. */
export interface ErrorContext {
  errno?: number | undefined;
  code?: string;
  message?: string;
  syscall?: string | undefined;
}

/** lib/internal/async_context_frame.js */
export interface AsyncFrames {
  current(): unknown;
  exchange(frame: unknown): unknown;
}

// oxlint-disable-next-line typescript/no-explicit-any -- whoever asks for one says what it uses of it
export type EngineModule = any;
/** Answers a binding: an object of C++ behind Node's JavaScript. */
export type InternalBinding = (name: string) => EngineModule;
/** Loads a built-in module, internal ones included. */
export type RequireBuiltin = (id: string) => EngineModule;
