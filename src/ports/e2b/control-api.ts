/**
 * Owns e2b's control API: making, listing, extending, forking, snapshotting and ending sandboxes.
 *
 * Invariants: each sandbox is a machine of the server's options, and a client cannot open more than they do;
 * there are at most so many. Untrusted: request bodies, as far as whoever has the key is not.
 */
import { randomUUID } from "node:crypto";
import { SessionRegistry } from "../core/session-registry.js";
import type { Session, SessionOptions } from "../core/session.js";
import { E2bSandbox } from "./sandbox.js";

export interface ControlOptions extends Omit<SessionOptions, "id"> {
  /** Sandboxes at a time. Default 32. */
  sandboxes?: number;
  /** Snapshots that are kept; the oldest goes first. Default 16. */
  snapshots?: number;
}

/** An answer: a status, and JSON where there is some. */
export interface Reply {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

type Bag = Readonly<Record<string, unknown>>;

const defaultSandboxes = 32;
const defaultSnapshots = 16;
const defaultTimeoutSec = 15;
const longestTimeoutSec = 24 * 3600;
const mostForks = 16;
const pageSize = 100;

const refused = (code: number, message: string): Reply => ({
  status: code,
  body: { code, message },
});
const missing = (id: string): Reply => refused(404, `sandbox ${id} not found`);

function secondsOf(value: unknown): number {
  const seconds = typeof value === "number" ? value : defaultTimeoutSec;
  return Math.min(Math.max(0, seconds), longestTimeoutSec);
}

function textsOf(value: unknown): Record<string, string> {
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  return Object.fromEntries(
    entries.filter((pair): pair is [string, string] => typeof pair[1] === "string"),
  );
}

/** What a client may ask for that there is not. */
const unsupported = ["volumeMounts", "iam", "mcp"] as const;

export class ControlApi {
  readonly #options: ControlOptions;
  readonly #sessions = new SessionRegistry();
  readonly #sandboxes = new Map<string, E2bSandbox>();
  readonly #snapshots = new Map<string, { data: Uint8Array; of: string; at: Date }>();
  /** Where ports of sandboxes are, below. */
  domain = "localhost";

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  find(id: string): E2bSandbox | undefined {
    return this.#sandboxes.get(id);
  }

  all(): E2bSandbox[] {
    return [...this.#sandboxes.values()];
  }

  /** The answer to a request, whose path is cut at "/". */
  async answer(method: string, path: string[], query: URLSearchParams, body: Bag): Promise<Reply> {
    const [first = "", id = "", action = ""] = path;
    if (first === "v2" && id === "sandboxes" && method === "GET") return this.#list(query);
    if (first === "sandboxes" && id === "")
      return method === "POST" ? this.#create(body) : this.#list(query);
    if (first === "snapshots" && method === "GET") return this.#listSnapshots();
    if (first === "templates" && method === "DELETE")
      return this.#snapshots.delete(id)
        ? { status: 204 }
        : refused(404, `template ${id} not found`);
    if (first !== "sandboxes") return refused(404, "there is no such path");
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined) return missing(id);
    return this.#about(sandbox, `${method} ${action}`.trim(), body);
  }

  async #about(sandbox: E2bSandbox, what: string, body: Bag): Promise<Reply> {
    switch (what) {
      case "GET":
        return { status: 200, body: { ...sandbox.listed, ...sandbox.created } };
      case "DELETE":
        await sandbox.end();
        return { status: 204 };
      case "POST timeout":
      case "POST refreshes":
        sandbox.setTimeout(secondsOf(body.timeout ?? body.duration));
        return { status: 204 };
      case "POST connect": {
        // A connection makes a sandbox's time longer, never shorter.
        const seconds = secondsOf(body.timeout);
        if (Date.now() + seconds * 1000 > +sandbox.endsAt) sandbox.setTimeout(seconds);
        return { status: 200, body: sandbox.created };
      }
      case "GET metrics":
        return { status: 200, body: [] };
      case "POST snapshots":
        return this.#snapshot(sandbox);
      case "POST fork":
        return this.#fork(sandbox, body);
      case "POST pause":
        return refused(400, "secure-exec does not pause sandboxes; take a snapshot of its files");
      default:
        return refused(404, "there is no such path");
    }
  }

  get #mostSandboxes(): number {
    return this.#options.sandboxes ?? defaultSandboxes;
  }

  async #create(body: Bag): Promise<Reply> {
    const asked = unsupported.find((name) => body[name] !== undefined && body[name] !== null);
    if (asked !== undefined) return refused(400, `secure-exec does not support ${asked}`);
    if (this.#sandboxes.size >= this.#mostSandboxes)
      return refused(429, `${this.#mostSandboxes} sandboxes are there already`);
    const template = typeof body.templateID === "string" ? body.templateID : "base";
    const snapshot = this.#snapshots.get(template)?.data;
    const { sandboxes: _sandboxes, snapshots: _snapshots, ...options } = this.#options;
    const { permissions } = options.runtime ?? {};
    const given = typeof permissions === "string" ? { mode: permissions } : permissions;
    const shut = body.allow_internet_access === false;
    const session = await this.#sessions.create({
      ...options,
      env: { ...options.env, ...textsOf(body.envVars) },
      runtime: {
        ...options.runtime,
        ...(shut && { permissions: { ...given, network: "deny" } }),
        ...(snapshot !== undefined && { snapshot }),
      },
    });
    const sandbox = this.#add(session, template, textsOf(body.metadata));
    sandbox.setTimeout(secondsOf(body.timeout));
    return { status: 201, body: sandbox.created };
  }

  #add(session: Session, template: string, metadata: Record<string, string>): E2bSandbox {
    const end = async (): Promise<void> => {
      this.#sandboxes.get(session.id)?.dispose();
      this.#sandboxes.delete(session.id);
      await this.#sessions.destroy(session.id);
    };
    const sandbox = new E2bSandbox(session, template, metadata, this.domain, end);
    this.#sandboxes.set(session.id, sandbox);
    return sandbox;
  }

  #list(query: URLSearchParams): Reply {
    const wanted = [...new URLSearchParams(query.get("metadata") ?? "")];
    const states = query.getAll("state").flatMap((state) => state.split(","));
    const found = this.all()
      .filter(({ metadata }) => wanted.every(([name, value]) => metadata[name] === value))
      .filter(() => states.length === 0 || states.includes("running"));
    const from = Math.max(0, Number(query.get("nextToken") ?? 0) || 0);
    const limit = Math.min(
      pageSize,
      Math.max(1, Number(query.get("limit") ?? pageSize) || pageSize),
    );
    const page = found.slice(from, from + limit).map(({ listed }) => listed);
    const isLast = from + limit >= found.length;
    return {
      status: 200,
      body: page,
      headers: isLast ? {} : { "x-next-token": String(from + limit) },
    };
  }

  async #snapshot(sandbox: E2bSandbox): Promise<Reply> {
    const snapshotID = `snapshot-${randomUUID()}`;
    const data = await sandbox.session.snapshot();
    this.#snapshots.set(snapshotID, { data, of: sandbox.id, at: new Date() });
    const [oldest] = this.#snapshots.keys();
    if (
      this.#snapshots.size > (this.#options.snapshots ?? defaultSnapshots) &&
      oldest !== undefined
    )
      this.#snapshots.delete(oldest);
    return { status: 201, body: { snapshotID, names: [] } };
  }

  #listSnapshots(): Reply {
    const body = [...this.#snapshots].map(([snapshotID, { of, at }]) => ({
      snapshotID,
      names: [],
      sandboxID: of,
      createdAt: at.toISOString(),
    }));
    return { status: 200, body };
  }

  /** Copies with the files as they are; none of the processes. */
  async #fork(sandbox: E2bSandbox, { count = 1, timeout }: Bag): Promise<Reply> {
    if (typeof count !== "number" || !(count >= 1 && count <= mostForks))
      return refused(400, `count must be from 1 to ${mostForks}`);
    const forks: object[] = [];
    for (let made = 0; made < count; made++) {
      if (this.#sandboxes.size >= this.#mostSandboxes) {
        forks.push({ error: { code: 429, message: "there are too many sandboxes already" } });
        continue;
      }
      const session = await this.#sessions.fork(sandbox.session);
      const fork = this.#add(session, sandbox.template, sandbox.metadata);
      fork.setTimeout(secondsOf(timeout));
      forks.push({ sandbox: fork.created });
    }
    return { status: 201, body: forks };
  }

  /** Ends all sandboxes. */
  async dispose(): Promise<void> {
    await Promise.all(this.all().map((sandbox) => sandbox.end()));
    this.#snapshots.clear();
  }
}
