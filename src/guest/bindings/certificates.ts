/**
 * Owns the certificates that the programs of a machine trust beside the engine's own: those of the
 * host (the `ca` option), of the machine's border where it has one, and of the file that NODE_EXTRA_CA_CERTS names, which C++ would have read
 * past the machine's files, at a start that was long before. It protects nothing: whom a program
 * may talk to is the kernel's to say.
 */
import { borderCertificate, hostCertificates } from "../../abi/machine.js";
import type { EngineTools } from "../environment.js";

const readOnly = 0;
const certificate = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

export function installCertificates(env: EngineTools): void {
  const binding = env.internalBinding("crypto");
  let known: readonly string[] | undefined;
  let replaced = false;

  /** Once per thread, when TLS is first used: a missing file is a warning, as at Node's start. */
  const extra = (): readonly string[] => {
    if (known !== undefined) return known;
    const named = process.env["NODE_EXTRA_CA_CERTS"];
    const found = new Set([...(read(hostCertificates) ?? []), ...(read(borderCertificate) ?? [])]);
    if (named !== undefined && named !== "" && named !== hostCertificates) {
      const given = read(named);
      if (given === undefined || given.length === 0)
        process.emitWarning(`Ignoring extra certs from \`${named}\`, load failed`);
      for (const text of given ?? []) found.add(text);
    }
    return (known = [...found]);
  };

  const read = (path: string): string[] | undefined => {
    try {
      const text = env.internalBinding("fs").readFileUtf8(path, readOnly) as string;
      return text.match(certificate)?.map((one) => `${one}\n`) ?? [];
    } catch {
      return undefined;
    }
  };

  binding.getExtraCACertificates = () => [...extra()];
  const { addRootCerts } = binding.SecureContext.prototype;
  binding.SecureContext.prototype.addRootCerts = function addRoots(this: any): void {
    Reflect.apply(addRootCerts, this, []);
    if (replaced) return;
    for (const text of extra()) this.addCACert(text);
  };
  const { resetRootCertStore } = binding;
  // tls.setDefaultCACertificates: the program's own list, and no other.
  binding.resetRootCertStore = (...args: unknown[]): unknown => {
    replaced = true;
    return Reflect.apply(resetRootCertStore, binding, args);
  };
}
