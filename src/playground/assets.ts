/**
 * Owns the files of the page and the headers that they are served with.
 *
 * Invariants: what is served is this list and nothing that a path could name; a script is a file of the list; a text
 * becomes markup nowhere (Trusted Types without any policy). Styles may be set by script, which the terminal does.
 * Untrusted: nothing; the files are the package's.
 */
import { readFileSync } from "node:fs";

const script = "text/javascript; charset=utf-8";
const style = "text/css; charset=utf-8";

/** Each file by its path below the token; "" is the page. */
const types: Readonly<Record<string, string>> = {
  "index.html": "text/html; charset=utf-8",
  "style.css": style,
  "icon.svg": "image/svg+xml",
  "page/vendor/xterm.css": style,
  "messages.js": script,
  ...Object.fromEntries(
    [
      "main",
      "asking",
      "bill",
      "editor",
      "elements",
      "files",
      "hearing",
      "output",
      "permissions",
      "tabs",
      "terminal",
      "text",
      "tools",
      "vendor/xterm",
    ].map((name) => [`page/${name}.js`, script]),
  ),
};

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** On every answer. */
export const safeHeaders: Readonly<Record<string, string>> = {
  "content-security-policy": policy,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=(), clipboard-read=()",
  // The token is in the address.
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "cache-control": "no-store",
};

export interface Asset {
  readonly type: string;
  readonly bytes: Buffer;
}

/** Reads all of them. Throws where one is missing, as in a package that was not built. */
export function loadAssets(): ReadonlyMap<string, Asset> {
  const folder = new URL("./", import.meta.url);
  const assets = new Map<string, Asset>();
  for (const [path, type] of Object.entries(types)) {
    const file = path.includes("/") || path.endsWith(".js") ? path : `page/${path}`;
    assets.set(path, { type, bytes: readFileSync(new URL(file, folder)) });
  }
  assets.set("", assets.get("index.html")!);
  return assets;
}
