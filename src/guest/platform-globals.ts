/**
 * Owns the lists of globals per rung of the platform ladder. A rung below `node`
 * keeps what its lists name and nothing else, so that a new global of the engine
 * appears nowhere before somebody has put it on a list.
 */
import type { Platform } from "../protocol/platforms.js";

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

/** What a fresh realm of the engine has, without its console: ECMAScript and WebAssembly. */
export const languageGlobals = words(`
  AggregateError Array ArrayBuffer AsyncDisposableStack Atomics BigInt BigInt64Array BigUint64Array
  Boolean DataView Date DisposableStack Error EvalError FinalizationRegistry Float16Array Float32Array
  Float64Array Function Infinity Int16Array Int32Array Int8Array Intl Iterator JSON Map Math NaN Number
  Object Promise Proxy RangeError ReferenceError Reflect RegExp Set SharedArrayBuffer String
  SuppressedError Symbol SyntaxError Temporal TypeError URIError Uint16Array Uint32Array Uint8Array
  Uint8ClampedArray WeakMap WeakRef WeakSet WebAssembly decodeURI decodeURIComponent encodeURI
  encodeURIComponent escape eval globalThis isFinite isNaN parseFloat parseInt undefined unescape
`);

export const universalGlobals = words(`
  console queueMicrotask setTimeout clearTimeout setInterval clearInterval
`);

export const webGlobals = words(`
  AbortController AbortSignal Blob BroadcastChannel ByteLengthQueuingStrategy CloseEvent
  CompressionStream CountQueuingStrategy Crypto CryptoKey CustomEvent DOMException DecompressionStream
  ErrorEvent Event EventSource EventTarget File FormData Headers MessageChannel MessageEvent MessagePort
  Navigator Performance PerformanceEntry PerformanceMark PerformanceMeasure PerformanceObserver
  PerformanceObserverEntryList PerformanceResourceTiming QuotaExceededError ReadableByteStreamController
  ReadableStream ReadableStreamBYOBReader ReadableStreamBYOBRequest ReadableStreamDefaultController
  ReadableStreamDefaultReader Request Response Storage SubtleCrypto TextDecoder TextDecoderStream
  TextEncoder TextEncoderStream TransformStream TransformStreamDefaultController URL URLPattern
  URLSearchParams WebSocket WritableStream WritableStreamDefaultController WritableStreamDefaultWriter
  atob btoa crypto fetch localStorage navigator performance sessionStorage structuredClone
`);

/** undefined: everything stays. */
export const globalsOf: Readonly<Record<Platform, readonly string[] | undefined>> = Object.freeze({
  node: undefined,
  browser: [...languageGlobals, ...universalGlobals, ...webGlobals],
  neutral: [...languageGlobals, ...universalGlobals],
  bare: languageGlobals,
});
