/** Owns `secure-exec/e2b`: the server that e2b's SDKs speak to. */
export { serveE2b } from "./server.js";
export type { E2bServer, E2bServerOptions } from "./server.js";
