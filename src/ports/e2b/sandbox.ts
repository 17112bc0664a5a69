/**
 * Owns one sandbox as e2b's clients know it: its machine, its services, its token, and the moment at which it ends.
 *
 * Invariant: it ends at that moment, whatever runs in it; an access token is of one sandbox.
 */
import { createHash, randomBytes } from "node:crypto";
import type { Session } from "../core/session.js";
import { isSame } from "../core/loopback.js";
import { FilesystemService } from "./filesystem.js";
import { ProcessService } from "./processes.js";

/** What clients ask for by version of the daemon in a sandbox. */
const envdVersion = "0.6.4";
/** The longest that a timer of Node's waits. */
const longestTimeoutMs = 2 ** 31 - 1;

export class E2bSandbox {
  readonly accessToken = randomBytes(24).toString("hex");
  readonly startedAt = new Date();
  readonly processes: ProcessService;
  readonly filesystem: FilesystemService;
  endsAt = new Date();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly session: Session,
    readonly template: string,
    readonly metadata: Record<string, string>,
    readonly domain: string,
    readonly end: () => Promise<void>,
  ) {
    this.processes = new ProcessService(session);
    this.filesystem = new FilesystemService(session);
  }

  get id(): string {
    return this.session.id;
  }

  /** Ends it so many seconds from now. */
  setTimeout(seconds: number): void {
    clearTimeout(this.#timer);
    const ms = Math.min(Math.max(0, seconds * 1000), longestTimeoutMs);
    this.endsAt = new Date(Date.now() + ms);
    this.#timer = setTimeout(() => void this.end(), ms);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.processes.dispose();
  }

  /** As the answer to a creation has it. */
  get created() {
    const { template: templateID, id: sandboxID, accessToken: envdAccessToken, domain } = this;
    return { templateID, sandboxID, clientID: "secure-exec", envdVersion, envdAccessToken, domain };
  }

  /** As lists have it. */
  get listed() {
    const { template: templateID, id: sandboxID, metadata, startedAt, endsAt } = this;
    return {
      templateID,
      sandboxID,
      clientID: "secure-exec",
      envdVersion,
      state: "running" as const,
      startedAt: startedAt.toISOString(),
      endAt: endsAt.toISOString(),
      metadata,
      // Of a machine here there are no such numbers.
      cpuCount: 0,
      memoryMB: 0,
      diskSizeMB: 0,
    };
  }

  /**
   * Whether a URL that was signed with the sandbox's token is one for this file. `why` says what is wrong with one
   * that has the sandbox's signature.
   */
  checkSignature(signed: {
    path: string;
    operation: "read" | "write";
    user: string;
    signature: string;
    expiration: string | null;
  }): { ours: boolean; why?: string } {
    const { path, operation, user, signature, expiration } = signed;
    const end = expiration === null ? "" : `:${expiration}`;
    const text = `${path}:${operation}:${user}:${this.accessToken}${end}`;
    const hash = createHash("sha256").update(text).digest("base64").replace(/=+$/, "");
    if (!isSame(signature, `v1_${hash}`)) return { ours: false };
    if (expiration !== null && Number(expiration) * 1000 < Date.now())
      return { ours: true, why: "signature is already expired" };
    return { ours: true };
  }
}
