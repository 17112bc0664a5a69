/**
 * Owns the certificates that the programs of a machine trust beside the engine's own: those of the
 * host (the `ca` option), of the machine's border where it has one, of the file that NODE_EXTRA_CA_CERTS names, and
 * those that a system keeps for all its programs. C++ would have read them past the machine's files, at a start that
 * was long before. It protects nothing: whom a program may talk to is the kernel's to say.
 */
import { beforeFirstLoad } from "../builtin-loads.js";
import { O_RDONLY } from "../../abi/fcntl.js";
import { borderCertificate, hostCertificates } from "../../abi/machine.js";
import type { EngineTools } from "../environment.js";

const certificate = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** X509_get_default_cert_file and its sibling, of the engine's OpenSSL: variables, and where they are not set. */
const systemFile = ["SSL_CERT_FILE", "/etc/ssl/cert.pem"] as const;
const systemDirectory = ["SSL_CERT_DIR", "/etc/ssl/certs"] as const;

/** errno(3), as OpenSSL reports it for a file. */
const systemErrors: Readonly<Record<string, string>> = {
  ENOENT: "error:80000002:system library::No such file or directory",
  EACCES: "error:8000000D:system library::Permission denied",
  EISDIR: "error:80000015:system library::Is a directory",
  ENOTDIR: "error:80000014:system library::Not a directory",
};

/** Reads the certificates of files; throws what `fs` has for one that cannot be read. */
class CertificateFiles {
  readonly #fs: {
    readFileUtf8(path: string, flags: number): string;
    readdir(path: string, encoding: string, types: boolean): string[];
  };

  constructor(env: EngineTools) {
    this.#fs = env.internalBinding("fs");
  }

  read(path: string): string[] {
    const text = this.#fs.readFileUtf8(path, O_RDONLY);
    return text.match(certificate)?.map((one) => `${one}\n`) ?? [];
  }

  readAny(path: string): string[] {
    try {
      return this.read(path);
    } catch {
      return [];
    }
  }

  /** GetOpenSSLSystemCertificates of src/crypto/crypto_context.cc: a file, and all files of a directory. */
  readSystem(): string[] {
    const [file, directory] = [systemFile, systemDirectory].map(
      ([variable, otherwise]) => process.env[variable] ?? otherwise,
    ) as [string, string];
    let names: string[] = [];
    try {
      names = this.#fs.readdir(directory, "utf8", false).sort();
    } catch {
      // No such directory is no certificates.
    }
    const found = [file, ...names.map((name) => `${directory}/${name}`)];
    return [...new Set(found.flatMap((path) => this.readAny(path)))];
  }
}

/** Those of Node's modules that take from the binding what is replaced there. */
const users = ["internal/tls/common", "internal/tls/wrap", "tls"];

export function installCertificates(env: EngineTools): void {
  beforeFirstLoad(env.requireBuiltin, users, () => replaceCertificates(env));
}

function replaceCertificates(env: EngineTools): void {
  const binding = env.internalBinding("crypto");
  const { getOptionValue } = env.requireBuiltin("internal/options");
  const files = new CertificateFiles(env);
  let known: readonly string[] | undefined;
  let system: readonly string[] | undefined;
  let replaced = false;

  /** Once per thread, when TLS is first used: a missing file is a warning, as at Node's start. */
  const extra = (): readonly string[] => {
    if (known !== undefined) return known;
    const named = process.env["NODE_EXTRA_CA_CERTS"];
    const found = new Set(
      [hostCertificates, borderCertificate].flatMap((path) => files.readAny(path)),
    );
    if (named !== undefined && named !== "" && named !== hostCertificates) {
      try {
        for (const text of files.read(named)) found.add(text);
      } catch (error) {
        const { code = "" } = error as NodeJS.ErrnoException;
        const why = systemErrors[code] ?? code;
        process.emitWarning(`Ignoring extra certs from \`${named}\`, load failed: ${why}\n`);
      }
    }
    return (known = [...found]);
  };
  const ofSystem = (): readonly string[] => (system ??= files.readSystem());

  binding.getExtraCACertificates = () => [...extra()];
  binding.getSystemCACertificates = () => [...ofSystem()];
  const { addRootCerts } = binding.SecureContext.prototype;
  binding.SecureContext.prototype.addRootCerts = function addRoots(this: {
    addCACert(text: string): void;
  }): void {
    const openssl = getOptionValue("--use-openssl-ca") === true;
    if (replaced || !openssl) Reflect.apply(addRootCerts, this, []);
    if (replaced) return;
    const roots = new Set(extra());
    if (openssl || getOptionValue("--use-system-ca") === true)
      for (const text of ofSystem()) roots.add(text);
    for (const text of roots) this.addCACert(text);
  };
  const { resetRootCertStore } = binding;
  // tls.setDefaultCACertificates: the program's own list, and no other.
  binding.resetRootCertStore = (...args: unknown[]): unknown => {
    replaced = true;
    return Reflect.apply(resetRootCertStore, binding, args);
  };
}
