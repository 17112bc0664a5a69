// The fuzzers by name. Each makes a function that runs one execution and throws what it found wrong; `input`
// of the error's cause is what repeats it. Runs on the engine, because the kernel's modules do.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { FileSystem } from "../../dist/kernel/fs/index.js";
import { matchesName, matchesPath } from "../../dist/kernel/policy/glob.js";
import { Decoder, MalformedMessage } from "../../dist/protocol/codec.js";
import { FrameKind, FrameReader, encodeFrame } from "../../dist/protocol/frames.js";
import { guestCalls, guestEvents } from "../../dist/protocol/guest-calls.js";
import { parseNameGlob, parsePathGlob } from "../../dist/protocol/permission-patterns.js";
import { byNumber } from "../../dist/protocol/table.js";
import { JsonRefused, parseJson } from "../../dist/sdk/json.js";
import { atOnce } from "../../dist/sdk/steps.js";
import { loadGuestModule } from "../support/guest-modules.mjs";
import { mutate, recombine } from "./random.mjs";

const corpusOf = (name) => {
  const folder = new URL(`corpus/${name}/`, import.meta.url);
  return readdirSync(folder).map((file) => readFileSync(new URL(file, folder)));
};

/** Runs `check` on an input; what it throws names the input. */
function checked(input, check) {
  try {
    check();
  } catch (cause) {
    throw Object.assign(new Error(`found: ${cause?.message ?? cause}`, { cause }), { input });
  }
}

const words = ["", "/tmp/a", "../..", "é漢😀", "\0", "__proto__", "x".repeat(300)];
const numbers = [0, 1, -1, 7, 255, 65_536, 2 ** 31, -(2 ** 31), 2 ** 53, NaN, Infinity, 0.5];
/** A value of a field of the wire. */
export function valueOf(random, type) {
  switch (type) {
    case "bool":
      return random.below(2) === 1;
    case "u8":
      return random.below(256);
    case "u32":
      return random.pick([0, 1, 3, 4096, 0xffffffff, random.next()]);
    case "i32":
      return random.pick([0, 1, 2, 3, 4, 5, 9, -1, -2, -3, 0x7fffffff, random.next() | 0]);
    case "f64":
      return random.pick(numbers);
    case "string":
      return random.pick(words);
    case "bytes":
      return random.bytes(random.below(40));
    case "text":
      return random.pick([...words, "\udcff", "a\udcc3/\udca9"]);
    case "texts":
      return Array.from({ length: random.below(4) }, () => random.pick([...words, "\udc80"]));
    case "strings":
      return Array.from({ length: random.below(4) }, () => random.pick(words));
    default:
      return Array.from({ length: random.below(4) }, () => random.pick(numbers));
  }
}

function frames(random) {
  const tables = {
    [FrameKind.call]: byNumber(guestCalls),
    [FrameKind.event]: byNumber(guestEvents),
  };
  const rows = Object.entries(tables).flatMap(([kind, table]) =>
    [...table.values()].map(({ spec }) => ({ kind: Number(kind), spec })),
  );
  const frame = () => {
    const { kind, spec } = random.pick(rows);
    const args = Object.entries(spec.args).map(([name, type]) => [name, valueOf(random, type)]);
    return encodeFrame(kind, random.next(), spec.nr, spec.args, Object.fromEntries(args));
  };
  /** What is read of a stream cut into `chunks`. */
  const read = (chunks) => {
    const got = [];
    const reader = new FrameReader();
    try {
      for (const chunk of chunks)
        reader.push(Buffer.from(chunk), ({ kind, id, number, payload }) => {
          const spec = tables[kind]?.get(number)?.spec;
          /** @type {unknown} */
          let value = "unknown";
          try {
            if (spec !== undefined) value = new Decoder(payload).message(spec.args);
          } catch (error) {
            if (!(error instanceof MalformedMessage)) throw error;
            value = "malformed";
          }
          got.push(JSON.stringify([kind, id, number, value]));
        });
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      got.push("end");
    }
    return got;
  };
  return () => {
    const stream = mutate(random, [Buffer.concat([frame(), frame(), frame()])]);
    const cut = random.below(stream.length + 1);
    checked(stream, () =>
      assert.deepEqual(read([stream.subarray(0, cut), stream.subarray(cut)]), read([stream])),
    );
  };
}

function paths(random) {
  const who = { uid: 1000, gid: 1000, umask: 0o022, cwd: "/home/user" };
  const parts = [
    "/",
    "//",
    ".",
    "..",
    "/tmp",
    "a",
    "b",
    "/a/b",
    "\0",
    "é",
    "/proc/self",
    "/dev/null",
  ];
  parts.push("x".repeat(255), "x".repeat(256), "/".repeat(4096), "__proto__", "\ud800");
  const path = () => recombine(random, parts, 6);
  const operations = [
    (fs) => fs.mkdir(who, path(), 0o755),
    (fs) => fs.symlink(who, path(), path()),
    (fs) => fs.rename(who, path(), path()),
    (fs) => fs.link(who, path(), path()),
    (fs) => fs.unlink(who, path()),
    (fs) => fs.rmdir(who, path()),
    (fs) => fs.stat(who, path(), random.below(2) === 0),
    (fs) => fs.readlink(who, path()),
    (fs) => fs.truncate(who, path(), random.pick([0, 1, 4096, 2 ** 40])),
    (fs) => {
      const opened = fs.open(who, path(), random.pick([0, 0o101, 0o102, 0o1102]), 0o644);
      if (typeof opened === "number") return;
      opened.write(random.bytes(random.below(50)), -1);
      opened.unref();
    },
  ];
  let fs;
  let left = 0;
  return () => {
    if (left-- === 0) {
      fs = new FileSystem({ bytes: 1_000_000, inodes: 300 });
      fs.mkdirTree({ ...who, uid: 0, gid: 0 }, "/home/user", 0o777);
      fs.mkdirTree({ ...who, uid: 0, gid: 0, umask: 0 }, "/tmp", 0o777);
      left = 200;
    }
    const at = random.below(operations.length);
    checked(`operation ${at}`, () => {
      const answer = operations[at](fs);
      assert.ok(answer === undefined || ["number", "string", "object"].includes(typeof answer));
      const { bytes, inodes } = fs.usage();
      assert.ok(bytes >= 0 && bytes <= 1_000_000 && inodes >= 0 && inodes <= 300);
    });
  };
}

function globs(random) {
  const { compilePattern } = loadGuestModule("userland/sh/pattern");
  const seeds = corpusOf("globs");
  return () => {
    const pattern = recombine(random, ["a", "b", "*", "?"], 9);
    const text = recombine(random, ["a", "b"], 11);
    checked(JSON.stringify([pattern, text]), () => {
      if (pattern === "") return;
      const source = pattern.replaceAll("*", ".*").replaceAll("?", ".");
      assert.equal(matchesName(parseNameGlob(pattern), text), new RegExp(`^${source}$`).test(text));
    });
    const odd = mutate(random, seeds).toString("utf8");
    checked(odd, () => {
      compilePattern(odd, { extended: true });
      for (const [parse, matches] of [
        [parseNameGlob, matchesName],
        [parsePathGlob, matchesPath],
      ]) {
        /** @type {any} */
        let parsed;
        try {
          parsed = /** @type {any} */ (parse)(odd);
        } catch {
          continue;
        }
        // A pattern that is refused is no pattern: protocol/permission-patterns.ts.
        if (typeof parsed === "object") assert.equal(typeof matches(parsed, "/tmp/a b"), "boolean");
      }
    });
  };
}

function shell(random) {
  const { Parser } = loadGuestModule("userland/sh/parser");
  const { SyntaxFailure } = loadGuestModule("userland/sh/control");
  const seeds = corpusOf("shell");
  const tokens = seeds.flatMap((seed) => seed.toString("utf8").split(/(\s+|\b)/)).filter(Boolean);
  return () => {
    const text =
      random.below(2) === 0
        ? mutate(random, seeds).toString("utf8")
        : recombine(random, tokens, 40);
    checked(text, () => {
      try {
        const bash = random.below(2) === 0;
        const parser = new Parser(text, { bash, aliases: new Map(), final: true, line: 1 });
        while (parser.nextCommand() !== undefined);
      } catch (error) {
        if (!(error instanceof SyntaxFailure)) throw error;
      }
    });
  };
}

function json(random) {
  const seeds = corpusOf("json");
  const filler = `"${"f".repeat(70_000)}"`;
  const tokens = ["[", "]", "{", "}", ",", ":", "1", '"a"', '"b":', "null", filler, `${filler},`];
  return () => {
    const text =
      random.below(2) === 0
        ? mutate(random, seeds).toString("utf8")
        : recombine(random, tokens, 14);
    checked(text.replaceAll(filler, "F"), () => {
      let expected;
      let why;
      try {
        expected = JSON.parse(text);
      } catch (error) {
        why = error;
      }
      try {
        const value = atOnce(parseJson(Buffer.from(text), 1000));
        assert.equal(why, undefined, "accepted what JSON.parse refuses");
        if (!/__proto__|\\u/.test(text)) assert.deepEqual(value, expected);
      } catch (error) {
        if (!(error instanceof JsonRefused)) throw error;
        assert.notEqual(why, undefined, "refused what JSON.parse accepts");
      }
    });
  };
}

function archives(random) {
  const { decodeBzip2 } = loadGuestModule("userland/support/bzip2-decoder");
  const { encodeBzip2 } = loadGuestModule("userland/support/bzip2-encoder");
  const { decodeXz, encodeXz } = loadGuestModule("userland/support/xz");
  const { contentOf, readDirectory, ZipWriter } = loadGuestModule("userland/support/zip");
  const { FormatError } = loadGuestModule("userland/support/format-error");
  const { ArchiveError, parseHeader, parsePax } = loadGuestModule("protocol/tar");
  const text = Buffer.from("the quick brown fox jumps over the lazy dog\n".repeat(40));
  const writer = new ZipWriter();
  for (const [name, level] of [
    ["a/b.txt", 6],
    ["é", 0],
  ])
    writer.add({ name, content: text, mode: 0o100644, modified: new Date(0), level });
  const zip = writer.finish();
  const tar = Buffer.alloc(512);
  tar.write("file\0", 0);
  tar.write("0000644\0", 100);
  tar.write("00000000010\0", 124);
  tar.write("        ", 148);
  tar.write("0ustar\0", 156);
  tar.write(
    `${tar
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
  );
  const limitBytes = 64 * 1024 * 1024;
  const bounded = () => {
    let bytes = 0;
    return (part) => {
      bytes += part.length;
      // A small archive of very much is no defect; going on for ever would be.
      if (bytes > limitBytes) throw new FormatError("enough");
    };
  };
  const kinds = [
    [encodeBzip2(text, 1), (data) => decodeBzip2(data, bounded())],
    [encodeXz(text, 1), (data) => decodeXz(data, bounded())],
    [zip, (data) => readDirectory(data).map((entry) => contentOf(data, entry))],
    [tar, (data) => data.length >= 512 && parseHeader(data.subarray(0, 512))],
    [Buffer.from("20 path=some/file\n12 size=3\n"), (data) => parsePax(data)],
  ];
  return () => {
    const [seed, decode] = random.pick(kinds);
    const data = mutate(random, [seed]);
    checked(data, () => {
      try {
        decode(data);
      } catch (error) {
        if (!(error instanceof FormatError || error instanceof ArchiveError)) throw error;
      }
    });
  };
}

export const targets = { frames, paths, globs, shell, json, archives };
