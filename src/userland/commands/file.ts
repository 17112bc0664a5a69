/** Owns `file`: what a file is, by its first bytes. */
import type { Stats } from "node:fs";
import type { Command, CommandContext } from "../command.js";
import { isUtf8 } from "node:buffer";
import { codeText, errorCode } from "../support/errors.js";
import { LineReader, openInput, readAll, standardInput } from "../support/input.js";
import { parseOptions, type Options } from "../support/options.js";
import { fromBytes } from "../support/text.js";

interface Kind {
  text: string;
  mime: string;
}

/** More is not looked at. */
const headBytes = 1 << 20;

export const main: Command = (context) => {
  const options = parseOptions(context, "bcde:Ef:F:hikLlm:nNprsSvzZ0", {
    brief: "b",
    mime: "i",
    "mime-type": "mimeType",
    "mime-encoding": "mimeEncoding",
    "files-from=": "f",
    "separator=": "F",
    dereference: "L",
    "no-dereference": "h",
    "no-pad": "N",
    print0: "0",
    extension: "extension",
    "keep-going": "k",
    uncompress: "z",
  });
  const names = [...options.operands];
  for (const list of options.all("f")) {
    const reader = new LineReader(openInput(context, list));
    for (let line = reader.next(); line !== undefined; line = reader.next())
      names.push(fromBytes(line));
  }
  if (names.length === 0) {
    context.writeError(
      "Usage: file [-bcCdEhikLlNnprsSvzZ0] [--apple] [--extension] [--mime-encoding]\n            [--mime-type] [-e <testname>] [-F <separator>]  [-f <namefile>]\n            [-m <magicfiles>] [-P <parameter=value>] [--exclude-quiet]\n            <file> ...\n       file -C [-m <magicfiles>]\n       file [--help]\n",
    );
    return 1;
  }
  const widest = Math.max(...names.map((name) => [...name].length));
  const separator = options.get("F") ?? ":";
  for (const name of names) {
    const shown = describe(context, options, name);
    if (options.has("b")) context.write(`${shown}\n`);
    else {
      const pad = options.has("N") ? "" : " ".repeat(widest - [...name].length);
      const end = options.has("0") ? "\0" : "";
      context.write(`${name === "-" ? "/dev/stdin" : name}${end}${separator} ${pad}${shown}\n`);
    }
  }
  return 0;
};

function describe(context: CommandContext, options: Options, name: string): string {
  let kind: Kind;
  let data: Uint8Array = new Uint8Array(0);
  if (name === "-") {
    data = readAll(standardInput(context));
    kind = kindOf(data);
  } else {
    let stats: Stats;
    try {
      stats = options.has("L") ? context.fs.statSync(name) : context.fs.lstatSync(name);
    } catch (error) {
      return `cannot open \`${name}' (${codeText(errorCode(error) ?? "EIO")})`;
    }
    const special = specialKind(context, name, stats);
    if (special !== undefined) kind = special;
    else {
      try {
        data = headOf(context, name);
      } catch (error) {
        if (errorCode(error) !== "EACCES") throw error;
        return `${(stats.mode & 0o111) !== 0 ? "executable" : "regular file"}, no read permission`;
      }
      kind = kindOf(data);
    }
  }
  if (options.has("mimeType")) return kind.mime;
  const encoding = encodingOf(kind, data);
  if (options.has("mimeEncoding")) return encoding;
  return options.has("i") ? `${kind.mime}; charset=${encoding}` : kind.text;
}

function specialKind(context: CommandContext, name: string, stats: Stats): Kind | undefined {
  if (stats.isDirectory()) return { text: "directory", mime: "inode/directory" };
  if (stats.isSymbolicLink()) {
    const to = context.fs.readlinkSync(name);
    const broken = context.fs.statSync(name, { throwIfNoEntry: false }) === undefined;
    return {
      text: `${broken ? "broken symbolic link" : "symbolic link"} to ${to}`,
      mime: "inode/symlink",
    };
  }
  if (stats.isCharacterDevice()) return { text: "character special", mime: "inode/chardevice" };
  if (stats.isBlockDevice()) return { text: "block special", mime: "inode/blockdevice" };
  if (stats.isFIFO()) return { text: "fifo (named pipe)", mime: "inode/fifo" };
  if (stats.isSocket()) return { text: "socket", mime: "inode/socket" };
  if (stats.size === 0) return { text: "empty", mime: "inode/x-empty" };
  return undefined;
}

function headOf(context: CommandContext, name: string): Uint8Array {
  const source = openInput(context, name === "-" ? "./-" : name);
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const chunk = source.read();
    if (chunk.length === 0 || length > headBytes) break;
    parts.push(Buffer.from(chunk));
    length += chunk.length;
  }
  source.close();
  return Buffer.concat(parts);
}

function encodingOf(kind: Kind, data: Uint8Array): string {
  if (kind.mime.startsWith("inode/") || data.length === 0) return "binary";
  if (data.includes(0)) return utf16Mark(data) ?? "binary";
  if (!/^text\/|json|xml|javascript|x-shellscript/.test(kind.mime)) return "binary";
  if (data.every((byte) => byte < 128)) return "us-ascii";
  return isUtf8(data) ? "utf-8" : "iso-8859-1";
}

function utf16Mark(data: Uint8Array): string | undefined {
  if (data[0] === 0xff && data[1] === 0xfe) return "utf-16le";
  return data[0] === 0xfe && data[1] === 0xff ? "utf-16be" : undefined;
}

type Describe = (data: Buffer) => string;

const u16 = (data: Buffer, at: number, big = false) =>
  at + 2 > data.length ? 0 : big ? data.readUInt16BE(at) : data.readUInt16LE(at);
const u32 = (data: Buffer, at: number, big = false) =>
  at + 4 > data.length ? 0 : big ? data.readUInt32BE(at) : data.readUInt32LE(at);

/** [where, bytes as latin1, what, MIME type]; the first that fits counts. */
const magic: readonly [at: number, bytes: string, text: string | Describe, mime: string][] = [
  [0, "\x7fELF", elf, "application/x-executable"],
  [0, "\x7fSX ", "secure-exec program", "application/x-executable"],
  [0, "\x89PNG\r\n\x1a\n", png, "image/png"],
  [0, "\xff\xd8\xff", "JPEG image data", "image/jpeg"],
  [0, "GIF87a", gif, "image/gif"],
  [0, "GIF89a", gif, "image/gif"],
  [0, "BM", "PC bitmap", "image/bmp"],
  [8, "WEBP", "RIFF (little-endian) data, Web/P image", "image/webp"],
  [8, "WAVE", "RIFF (little-endian) data, WAVE audio", "audio/x-wav"],
  [0, "\0\0\x01\0", "MS Windows icon resource", "image/vnd.microsoft.icon"],
  [
    0,
    "%PDF-",
    (data) => `PDF document, version ${data.toString("latin1", 5, 8)}`,
    "application/pdf",
  ],
  [0, "\x1f\x8b", gzip, "application/gzip"],
  [
    0,
    "BZh",
    (data) => `bzip2 compressed data, block size = ${data.toString("latin1", 3, 4)}00k`,
    "application/x-bzip2",
  ],
  [
    0,
    "\xfd7zXZ\0",
    (data) =>
      `XZ compressed data, checksum ${({ 0: "NONE", 1: "CRC32", 4: "CRC64", 10: "SHA-256" } as Record<number, string>)[data[7] ?? 0] ?? "unknown"}`,
    "application/x-xz",
  ],
  [
    0,
    "\x28\xb5\x2f\xfd",
    "Zstandard compressed data (v0.8+), Dictionary ID: None",
    "application/zstd",
  ],
  [
    0,
    "7z\xbc\xaf\x27\x1c",
    (data) => `7-zip archive data, version ${data[6]}.${data[7]}`,
    "application/x-7z-compressed",
  ],
  [0, "Rar!\x1a\x07", "RAR archive data", "application/x-rar"],
  [0, "PK\x03\x04", zip, "application/zip"],
  [0, "PK\x05\x06", "Zip archive data (empty)", "application/zip"],
  [257, "ustar\0", "POSIX tar archive", "application/x-tar"],
  [257, "ustar  \0", "POSIX tar archive (GNU)", "application/x-tar"],
  [0, "\0asm\x01\0\0\0", "WebAssembly (wasm) binary module version 0x1 (MVP)", "application/wasm"],
  [0, "SQLite format 3\0", "SQLite 3.x database", "application/vnd.sqlite3"],
  [0, "\xca\xfe\xba\xbe", "compiled Java class data", "application/x-java-applet"],
  [0, "\xcf\xfa\xed\xfe", "Mach-O 64-bit executable", "application/x-mach-binary"],
  [0, "MZ", "MS-DOS executable", "application/x-dosexec"],
  [0, "!<arch>\n", "current ar archive", "application/x-archive"],
  [0, "ID3", "Audio file with ID3", "audio/mpeg"],
  [0, "fLaC", "FLAC audio bitstream data", "audio/flac"],
  [0, "OggS", "Ogg data", "application/ogg"],
  [4, "ftyp", "ISO Media", "video/mp4"],
  [0, "wOFF", "Web Open Font Format", "font/woff"],
  [0, "wOF2", "Web Open Font Format (Version 2)", "font/woff2"],
  [0, "-----BEGIN CERTIFICATE-----", "PEM certificate", "text/plain"],
  [0, "-----BEGIN RSA PRIVATE KEY-----", "PEM RSA private key", "text/plain"],
  [0, "-----BEGIN PRIVATE KEY-----", "OpenSSL PEM private key", "text/plain"],
];

function kindOf(bytes: Uint8Array): Kind {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (data.length === 0) return { text: "empty", mime: "inode/x-empty" };
  for (const [at, mark, text, mime] of magic) {
    if (data.toString("latin1", at, at + mark.length) !== mark) continue;
    return { text: typeof text === "string" ? text : text(data), mime };
  }
  return textKind(data) ?? { text: "data", mime: "application/octet-stream" };
}

function elf(data: Buffer): string {
  const big = data[5] === 2;
  const kind = ["", "relocatable", "executable", "shared object", "core file"][u16(data, 16, big)];
  const machine: Record<number, string> = {
    3: "Intel 80386",
    40: "ARM",
    62: "x86-64",
    183: "ARM aarch64",
    243: "UCB RISC-V",
  };
  const bits = data[4] === 2 ? "64-bit" : "32-bit";
  return `ELF ${bits} ${big ? "MSB" : "LSB"} ${kind ?? "unknown type"}, ${machine[u16(data, 18, big)] ?? "unknown machine"}, version 1 (SYSV)`;
}

function png(data: Buffer): string {
  const colors: Record<number, string> = {
    0: "grayscale",
    2: "/color RGB",
    3: "colormap",
    4: "gray+alpha",
    6: "/color RGBA",
  };
  const depth = data[24] ?? 0;
  const color = colors[data[25] ?? 0] ?? "";
  const shown = color.startsWith("/") ? `${depth}-bit${color}` : `${depth}-bit ${color}`;
  return `PNG image data, ${u32(data, 16, true)} x ${u32(data, 20, true)}, ${shown}, ${data[28] === 1 ? "" : "non-"}interlaced`;
}

function gif(data: Buffer): string {
  return `GIF image data, version ${data.toString("latin1", 3, 6)}, ${u16(data, 6)} x ${u16(data, 8)}`;
}

function gzip(data: Buffer): string {
  let text = "gzip compressed data";
  const end = data.indexOf(0, 10);
  if (((data[3] ?? 0) & 12) === 8 && end !== -1)
    text += `, was "${data.toString("latin1", 10, end)}"`;
  const seconds = u32(data, 4);
  if (seconds > 0)
    text += `, last modified: ${new Date(seconds * 1000)
      .toUTCString()
      .replace(/^(\w+), (\d+) (\w+) (\d+) (.*) GMT$/, "$1 $3 $2 $5 $4")
      .replace(/ 0(\d) /, "  $1 ")}`;
  const level = data[8];
  if (level === 2) text += ", max compression";
  if (level === 4) text += ", max speed";
  const systems: Record<number, string> = {
    0: "FAT filesystem (MS-DOS, OS/2, NT)",
    3: "Unix",
    11: "NTFS filesystem (NT)",
    7: "Macintosh",
  };
  const system = systems[data[9] ?? 255];
  if (system !== undefined) text += `, from ${system}`;
  return `${text}, original size modulo 2^32 ${u32(data, data.length - 4)}`;
}

function zip(data: Buffer): string {
  const version = data[4] ?? 0;
  const method =
    ({ 0: "store", 8: "deflate" } as Record<number, string>)[u16(data, 8)] ?? "unknown";
  return `Zip archive data, at least v${Math.floor(version / 10)}.${version % 10} to extract, compression method=${method}`;
}

const scripts: readonly [name: RegExp, text: string, mime: string][] = [
  [/\b(?:ba)sh\b/, "Bourne-Again shell script", "text/x-shellscript"],
  [/\b(?:da|k|z)?sh\b/, "POSIX shell script", "text/x-shellscript"],
  [/\bnode\b/, "Node.js script executable", "application/javascript"],
  [/\bpython/, "Python script", "text/x-script.python"],
  [/\bperl\b/, "Perl script text executable", "text/x-perl"],
  [/\bruby\b/, "Ruby script", "text/x-ruby"],
  [/\bawk\b/, "awk script", "text/x-awk"],
];

/** Text, in an encoding that can be told; undefined for anything else. */
function textKind(data: Buffer): Kind | undefined {
  const mark = utf16Mark(data);
  if (mark !== undefined) {
    const order = mark === "utf-16le" ? "little" : "big";
    return { text: `Unicode text, UTF-16, ${order}-endian text`, mime: "text/plain" };
  }
  // Escapes of terminals are text, other control characters are not.
  if (
    data.some(
      (byte) => byte < 7 || (byte > 13 && byte < 27) || (byte > 27 && byte < 32) || byte === 127,
    )
  ) {
    return undefined;
  }
  const ascii = data.every((byte) => byte < 128);
  const bom = data[0] === 0xef && data[1] === 0xbb && data[2] === 0xbf;
  // The head may end within a character.
  const whole = isUtf8(data) || isUtf8(data.subarray(0, data.lastIndexOf(10) + 1));
  const encoding = ascii
    ? "ASCII text"
    : whole
      ? `Unicode text, UTF-8${bom ? " (with BOM)" : ""} text`
      : "ISO-8859 text";
  const text = data.toString("utf8", bom ? 3 : 0);
  const details = lineDetails(text);
  const first = /^#!\s*(\S+(?:[ \t]+\S+)?)/.exec(text);
  if (first !== null) {
    const found = scripts.find(([name]) => name.test(first[1]!));
    const what = found?.[1] ?? `a ${first[1]} script`;
    return { text: `${what}, ${encoding} executable${details}`, mime: found?.[2] ?? "text/plain" };
  }
  const start = text.trimStart();
  if (/^[{[]/.test(start) && isJson(text))
    return { text: "JSON text data", mime: "application/json" };
  if (start.startsWith("<?xml")) {
    const version = /version=["']([\d.]+)/.exec(start)?.[1] ?? "1.0";
    const svg = /<svg\b/.test(start);
    return svg
      ? { text: "SVG Scalable Vector Graphics image", mime: "image/svg+xml" }
      : { text: `XML ${version} document, ${encoding}${details}`, mime: "text/xml" };
  }
  if (/^<(?:!doctype html|html|head|body)\b/i.test(start)) {
    return { text: `HTML document, ${encoding}${details}`, mime: "text/html" };
  }
  if (/^<svg\b/.test(start))
    return { text: "SVG Scalable Vector Graphics image", mime: "image/svg+xml" };
  if (/^diff --git |^--- .*\n\+\+\+ /m.test(text.slice(0, 2000)) && /^@@ -/m.test(text)) {
    return { text: `unified diff output, ${encoding}${details}`, mime: "text/x-diff" };
  }
  if (/^#include\b|^(?:int|void) main\s*\(/m.test(text)) {
    return { text: `C source, ${encoding}${details}`, mime: "text/x-c" };
  }
  if (
    /^(?:import .* from ["']|export (?:default|const|function)|(?:const|let|var) \w+ = require\()/m.test(
      text,
    )
  ) {
    return { text: `JavaScript source, ${encoding}${details}`, mime: "application/javascript" };
  }
  if (/^(?:from \w[\w.]* import |import \w+$|def \w+\(.*\):)/m.test(text)) {
    return {
      text: `Python script, ${encoding} executable${details}`,
      mime: "text/x-script.python",
    };
  }
  const csv = csvKind(text);
  return {
    text: (csv ?? encoding) + (csv === undefined ? details : ` ${encoding}${details}`),
    mime: csv === undefined ? "text/plain" : "text/csv",
  };
}

function csvKind(text: string): string | undefined {
  const lines = text.split(/\r?\n/).slice(0, 11);
  if (lines.at(-1) === "") lines.pop();
  if (lines.length < 2 || text.length > headBytes) return undefined;
  const counts = lines.map((line) => line.split(",").length);
  return counts[0]! > 1 && counts.every((count) => count === counts[0]) ? "CSV" : undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function lineDetails(text: string): string {
  const crlf = /\r\n/.test(text);
  const lf = /(?:^|[^\r])\n/.test(text);
  const cr = /\r(?!\n)/.test(text);
  let details = "";
  const long = text.split("\n").reduce((most, line) => Math.max(most, line.length), 0);
  if (long > 300) details += `, with very long lines (${long})`;
  if (!crlf && !lf && !cr) return `${details}, with no line terminators`;
  const kinds = [crlf ? "CRLF" : "", cr ? "CR" : "", lf && (crlf || cr) ? "LF" : ""].filter(
    (kind) => kind !== "",
  );
  if (kinds.length > 0) details += `, with ${kinds.join(", ")} line terminators`;
  if (text.includes("\x1b")) details += ", with escape sequences";
  return details;
}
