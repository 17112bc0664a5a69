/**
 * Owns the parts of `openssl` that scripts use and that Node's crypto has whole: dgst, rand, base64, enc and
 * passwd's relatives aside. Keys, certificates and connections are work for a program: they are refused by name.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  getCipherInfo,
  getCiphers,
  getHashes,
  pbkdf2Sync,
  randomBytes,
} from "node:crypto";
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { openInput, readAll } from "../support/input.js";

const others =
  /^(req|x509|genrsa|rsa|genpkey|pkey|ec|ecparam|s_client|s_server|pkcs12|pkcs8|verify|ca|crl|dhparam|pkeyutl|rsautl|speed|smime|cms|ocsp|ts|passwd)$/;

export const main: Command = (context) => {
  const [command, ...words] = context.argv.slice(1);
  if (command === undefined || command === "help") {
    context.writeError(
      "openssl: commands of this machine: version dgst rand base64 enc prime list, and digests by name (md5, sha256, …)\n",
    );
    return command === undefined ? 1 : 0;
  }
  switch (command) {
    case "version":
      context.write(`OpenSSL ${process.versions.openssl} (the one in Node.js)\n`);
      return 0;
    case "dgst":
      return digest(context, words, undefined);
    case "rand":
      return rand(context, words);
    case "base64":
      return base64(context, words);
    case "enc":
      return enc(context, words);
    case "list":
      context.write(`${(words[0]?.includes("cipher") ? getCiphers() : getHashes()).join("\n")}\n`);
      return 0;
  }
  if (getHashes().some((name) => name.toLowerCase() === command.toLowerCase()))
    return digest(context, words, command);
  if (getCiphers().includes(command.toLowerCase())) return enc(context, [`-${command}`, ...words]);
  if (others.test(command)) {
    throw new CommandFailure(
      `${command} is not in this machine: use node:crypto and node:tls in a program`,
    );
  }
  context.writeError(`Invalid command '${command}'; type "help" for a list.\n`);
  return 1;
};

/** Options of one dash: those in `values` take the next word. */
function parse(
  words: string[],
  values: string[],
): { options: Map<string, string>; operands: string[] } {
  const options = new Map<string, string>();
  const operands: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    const name = word.replace(/^--?/, "");
    if (!word.startsWith("-") || word === "-") operands.push(word);
    else if (values.includes(name)) options.set(name, words[++at] ?? "");
    else options.set(name, "");
  }
  return { options, operands };
}

function read(context: CommandContext, name: string | undefined): Buffer {
  try {
    const source = openInput(context, name ?? "-");
    const data = readAll(source);
    source.close();
    return data;
  } catch (error) {
    throw new CommandFailure(`Can't open "${name}" for reading, ${errorText(error)}`);
  }
}

function put(context: CommandContext, name: string | undefined, data: string | Uint8Array): void {
  if (name === undefined) context.write(data);
  else context.fs.writeFileSync(name, data);
}

function digest(context: CommandContext, words: string[], named: string | undefined): number {
  const { options, operands } = parse(words, [
    "out",
    "hmac",
    "mac",
    "macopt",
    "sign",
    "verify",
    "signature",
  ]);
  if (options.has("sign") || options.has("verify") || options.has("mac")) {
    throw new CommandFailure("dgst: signing is not in this machine: use node:crypto in a program");
  }
  const hashes = getHashes();
  const name =
    named ??
    [...options.keys()].find((key) =>
      hashes.some((hash) => hash.toLowerCase() === key.toLowerCase()),
    ) ??
    "sha256";
  const algorithm = hashes.find((hash) => hash.toLowerCase() === name.toLowerCase());
  if (algorithm === undefined) throw new CommandFailure(`dgst: Unknown digest ${name}`);
  const key = options.get("hmac");
  let output = "";
  for (const file of operands.length === 0 ? ["-"] : operands) {
    const hash = key === undefined ? createHash(algorithm) : createHmac(algorithm, key);
    const result = hash.update(read(context, file)).digest();
    if (options.has("binary")) {
      put(context, options.get("out"), result);
      continue;
    }
    let hex = result.toString("hex");
    if (options.has("c")) hex = hex.replace(/..(?=.)/g, "$&:");
    const title = `${key === undefined ? "" : "HMAC-"}${algorithm.toUpperCase().replace(/^RSA-/, "").replace("SHA2-", "SHA")}`;
    const shown = title.replace(/^(HMAC-)?SHA(224|256|384|512)$/, "$1SHA2-$2");
    if (options.has("r")) output += `${hex} *${file === "-" ? "stdin" : file}\n`;
    else output += `${shown}(${file === "-" ? "stdin" : file})= ${hex}\n`;
  }
  if (!options.has("binary")) put(context, options.get("out"), output);
  return 0;
}

function rand(context: CommandContext, words: string[]): number {
  const { options, operands } = parse(words, ["out", "rand", "writerand"]);
  const count = operands[0] ?? "";
  if (!/^\d+$/.test(count) || Number(count) === 0 || Number(count) > 2 ** 31 - 1) {
    throw new CommandFailure("rand: Extra arguments given.", 1, "rand: Use -help for summary.\n");
  }
  const data = randomBytes(Number(count));
  if (options.has("hex")) put(context, options.get("out"), `${data.toString("hex")}\n`);
  else if (options.has("base64"))
    put(context, options.get("out"), wrapped(data.toString("base64")));
  else put(context, options.get("out"), data);
  return 0;
}

const wrapped = (text: string) => (text === "" ? "" : `${text.replace(/.{64}(?=.)/g, "$&\n")}\n`);

function base64(context: CommandContext, words: string[]): number {
  const { options, operands } = parse(words, ["in", "out"]);
  const data = read(context, options.get("in") ?? operands[0]);
  put(
    context,
    options.get("out"),
    options.has("d")
      ? Buffer.from(data.toString("latin1"), "base64")
      : options.has("A")
        ? data.toString("base64")
        : wrapped(data.toString("base64")),
  );
  return 0;
}

const saltMark = Buffer.from("Salted__");

/** Key and vector out of a password, the way of `-pbkdf2` or the old one. */
function derive(
  password: Buffer,
  salt: Buffer,
  keyBytes: number,
  vectorBytes: number,
  options: Map<string, string>,
): { key: Buffer; vector: Buffer } {
  const hash = options.get("md") ?? "sha256";
  const length = keyBytes + vectorBytes;
  let material: Buffer;
  if (options.has("pbkdf2") || options.has("iter")) {
    material = pbkdf2Sync(password, salt, Number(options.get("iter") ?? 10000), length, hash);
  } else {
    material = Buffer.alloc(0);
    let block = Buffer.alloc(0);
    while (material.length < length) {
      block = createHash(hash)
        .update(Buffer.concat([block, password, salt]))
        .digest();
      material = Buffer.concat([material, block]);
    }
  }
  return { key: material.subarray(0, keyBytes), vector: material.subarray(keyBytes, length) };
}

function password(context: CommandContext, options: Map<string, string>): Buffer {
  const given = options.get("k") ?? options.get("pass") ?? options.get("passin");
  if (options.has("k")) return Buffer.from(given ?? "");
  if (options.has("kfile"))
    return Buffer.from(read(context, options.get("kfile")).toString("utf8").split("\n")[0]!);
  const [kind, rest = ""] = /^(pass|env|file):([^]*)$/.exec(given ?? "")?.slice(1) ?? [];
  if (kind === "pass") return Buffer.from(rest);
  if (kind === "env") return Buffer.from(context.env[rest] ?? "");
  if (kind === "file") return Buffer.from(read(context, rest).toString("utf8").split("\n")[0]!);
  throw new CommandFailure("enc: no password: give -pass pass:…, env:… or file:…, or -K and -iv");
}

function enc(context: CommandContext, words: string[]): number {
  const { options, operands } = parse(words, [
    "in",
    "out",
    "k",
    "kfile",
    "K",
    "iv",
    "S",
    "pass",
    "passin",
    "md",
    "iter",
    "bufsize",
  ]);
  const decrypts = options.has("d");
  const raw = read(context, options.get("in") ?? operands[0]);
  const armor = options.has("a") || options.has("base64");
  const ciphers = getCiphers();
  const name = [...options.keys()]
    .find((key) => ciphers.includes(key.toLowerCase()))
    ?.toLowerCase();
  let input = decrypts && armor ? Buffer.from(raw.toString("latin1"), "base64") : raw;
  if (name === undefined) {
    if (!armor) throw new CommandFailure("enc: no cipher given");
    put(context, options.get("out"), decrypts ? input : wrapped(input.toString("base64")));
    return 0;
  }
  const info = getCipherInfo(name);
  if (info === undefined || /gcm|ccm|ocb|poly1305|siv|wrap/.test(name))
    throw new CommandFailure(`enc: AEAD ciphers not supported`);
  const vectorBytes = info.ivLength ?? 0;
  let head = Buffer.alloc(0);
  let keys: { key: Buffer; vector: Buffer };
  if (options.has("K")) {
    const hex = (text: string | undefined, size: number) =>
      Buffer.from((text ?? "").padEnd(size * 2, "0").slice(0, size * 2), "hex");
    keys = {
      key: hex(options.get("K"), info.keyLength),
      vector: hex(options.get("iv"), vectorBytes),
    };
  } else {
    const secret = password(context, options);
    let salt = Buffer.alloc(0);
    if (decrypts && !options.has("nosalt")) {
      if (!input.subarray(0, 8).equals(saltMark)) throw new CommandFailure("bad magic number");
      salt = Buffer.from(input.subarray(8, 16));
      input = input.subarray(16);
    } else if (!options.has("nosalt")) {
      salt = options.has("S") ? Buffer.from(options.get("S")!, "hex") : randomBytes(8);
      if (!options.has("S")) head = Buffer.concat([saltMark, salt]);
    }
    keys = derive(secret, salt, info.keyLength, vectorBytes, options);
  }
  const vector = vectorBytes === 0 ? null : keys.vector;
  const cipher = decrypts
    ? createDecipheriv(name, keys.key, vector)
    : createCipheriv(name, keys.key, vector);
  if (options.has("nopad")) cipher.setAutoPadding(false);
  let output: Buffer;
  try {
    output = Buffer.concat([head, cipher.update(input), cipher.final()]);
  } catch {
    throw new CommandFailure("bad decrypt");
  }
  put(
    context,
    options.get("out"),
    !decrypts && armor
      ? options.has("A")
        ? output.toString("base64")
        : wrapped(output.toString("base64"))
      : output,
  );
  return 0;
}
