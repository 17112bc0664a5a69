/** Owns `gzip`, `gunzip` and `zcat`. */
import { createGunzip, createGzip } from "node:zlib";
import type { Command, CommandContext } from "../command.js";
import { errorCode, errorText } from "../support/errors.js";
import { openInput, type ByteSource } from "../support/input.js";
import { parseOptions, type Options } from "../support/options.js";
import { throughTransform } from "../support/transform.js";

export const main: Command = async (context) => {
  const options = parseOptions(context, "cdfhklLnNqrS:tvV123456789", {
    stdout: "c",
    "to-stdout": "c",
    decompress: "d",
    uncompress: "d",
    force: "f",
    keep: "k",
    list: "l",
    "no-name": "n",
    name: "N",
    quiet: "q",
    recursive: "r",
    "suffix=": "S",
    test: "t",
    verbose: "v",
    fast: "1",
    best: "9",
  });
  const decompress = options.has("d", "t") || context.name !== "gzip";
  const toStdout = options.has("c") || context.name === "zcat";
  const names = options.operands.length === 0 ? ["-"] : options.operands;
  let status = 0;
  for (const name of names) {
    try {
      status = Math.max(
        status,
        await one(context, options, name, decompress, toStdout || name === "-"),
      );
    } catch (error) {
      const code = errorCode(error) ?? "";
      const shown = name === "-" ? "stdin" : name;
      const text =
        code === "Z_BUF_ERROR"
          ? "unexpected end of file"
          : code === "Z_DATA_ERROR"
            ? dataError(error)
            : undefined;
      if (text !== undefined) context.writeError(`\ngzip: ${shown}: ${text}\n`);
      else context.writeError(`gzip: ${shown}: ${errorText(error)}\n`);
      status = 1;
    }
  }
  return status;
};

function dataError(error: unknown): string {
  const message = (error as Error).message;
  return message.includes("header")
    ? "not in gzip format"
    : message.includes("data check")
      ? "invalid compressed data--crc error"
      : "invalid compressed data--format violated";
}

function levelOf(options: Options): number {
  return Number(options.last("1", "2", "3", "4", "5", "6", "7", "8", "9") ?? 6);
}

async function one(
  context: CommandContext,
  options: Options,
  name: string,
  decompress: boolean,
  toStdout: boolean,
): Promise<number> {
  const { fs } = context;
  const suffix = options.get("S") ?? ".gz";
  const complain = (message: string, status: number) => {
    if (!options.has("q")) context.writeError(`gzip: ${message}\n`);
    return status;
  };
  let path = name;
  if (decompress && name !== "-" && !fs.existsSync(path) && fs.existsSync(path + suffix))
    path += suffix;
  let target = "";
  if (name !== "-") {
    if (fs.statSync(path).isDirectory()) return complain(`${path} is a directory -- ignored`, 2);
    if (!toStdout && !options.has("t")) {
      if (decompress) {
        const base = path.endsWith(".tgz")
          ? path.replace(/\.tgz$/, ".tar")
          : path.slice(0, -suffix.length);
        if (!path.endsWith(suffix) && !path.endsWith(".tgz"))
          return complain(`${path}: unknown suffix -- ignored`, 2);
        target = base;
      } else {
        if (path.endsWith(suffix))
          return complain(`${path} already has ${suffix} suffix -- unchanged`, 2);
        target = path + suffix;
      }
      if (fs.existsSync(target) && !options.has("f")) {
        context.writeError(`gzip: ${target} already exists;\tnot overwritten\n`);
        return 2;
      }
    }
  }
  const source: ByteSource = openInput(context, path);
  const transform = decompress ? createGunzip() : createGzip({ level: levelOf(options) });
  if (toStdout || options.has("t")) {
    await throughTransform(source, transform, (data) => {
      if (!options.has("t")) context.write(data);
    });
    source.close();
    return 0;
  }
  const stats = fs.statSync(path);
  const fd = fs.openSync(target, "w", stats.mode & 0o777);
  let written = 0;
  try {
    await throughTransform(source, transform, (data) => {
      for (let at = 0; at < data.length;) at += fs.writeSync(fd, data, at);
      written += data.length;
    });
  } catch (error) {
    fs.unlinkSync(target);
    throw error;
  } finally {
    fs.closeSync(fd);
    source.close();
  }
  fs.utimesSync(target, stats.atimeMs / 1000, stats.mtimeMs / 1000);
  if (options.has("v")) {
    const [small, large] = decompress ? [stats.size, written] : [written, stats.size];
    const ratio = large === 0 ? 0 : 100 - (small * 100) / large;
    context.writeError(
      `${path}:\t${ratio.toFixed(1).padStart(5)}% -- ${options.has("k") ? "created" : "replaced with"} ${target}\n`,
    );
  }
  if (!options.has("k")) fs.unlinkSync(path);
  return 0;
}
