/** Owns which kind of image a file is, by its first bytes. Untrusted: the bytes; nothing is decoded. */

export const mostImageBytes = 10 * 1024 * 1024;

/** First bytes as latin1, at an offset. */
const kinds: readonly [mediaType: string, ...parts: [at: number, text: string][]][] = [
  ["image/png", [0, "\x89PNG\r\n\x1a\n"]],
  ["image/jpeg", [0, "\xff\xd8\xff"]],
  ["image/gif", [0, "GIF87a"]],
  ["image/gif", [0, "GIF89a"]],
  ["image/webp", [0, "RIFF"], [8, "WEBP"]],
  ["image/bmp", [0, "BM"]],
  ["image/tiff", [0, "II*\0"]],
  ["image/tiff", [0, "MM\0*"]],
];

/** undefined for what is no image, or none that is known. */
export function imageTypeOf(bytes: Uint8Array, path: string): string | undefined {
  const head = Buffer.from(bytes.subarray(0, 512)).toString("latin1");
  const found = kinds.find(([, ...parts]) =>
    parts.every(([at, text]) => head.startsWith(text, at)),
  );
  if (found !== undefined) return found[0];
  const isSvg = /^\s*(?:<\?xml[^>]*>\s*)?(?:<!--[\s\S]*?-->\s*)*<svg[\s>]/.test(head);
  return isSvg || /\.svgz?$/i.test(path) ? "image/svg+xml" : undefined;
}
