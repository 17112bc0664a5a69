/** What every machine says it is, to `os.*` and in /proc alike. Nothing of the host shows in it. */
export const machine = Object.freeze({
  kernelName: "Linux",
  kernelRelease: "6.8.0-secure-exec",
  kernelVersion: "#1 SMP secure-exec",
  /** The C library that programs find here, and the one that the engine was built for at least. */
  glibcVersion: "2.36",
  glibcCompilerVersion: "2.28",
  cpuModel: "secure-exec Virtual CPU",
  cpuMhz: 2000,
  /** `process.execPath`. */
  nodePath: "/usr/local/bin/node",
});

/** Certificates of the host's choice, in PEM; there when it gave some. */
export const hostCertificates = "/etc/ssl/certs/host.pem";

/** The authority of the machine's border, in PEM; there when it has one. */
export const borderCertificate = "/etc/ssl/certs/secure-exec-border.pem";
