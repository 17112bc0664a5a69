/**
 * Owns the `fleet` option: its types and its checks, also for the command line's worker.
 * Nothing here is untrusted; credentials stay in memory and are in no message.
 */
import { readFileSync } from "node:fs";
import {
  defaultSubjectPrefix,
  fleetLimits,
  isLabels,
  isSubjectPrefix,
} from "../../protocol/fleet.js";
import { invalidOption } from "../errors.js";

/** How this process proves to the NATS server who it is: one of them. */
export type NodeRuntimeFleetCredentials =
  | { token: string }
  | { user: string; password: string }
  /** The seed of an nkey (`SU…`). */
  | { nkey: string }
  /** The text of a `.creds` file, or its path in `credsFile`. */
  | { creds: string }
  | { credsFile: string };

/** TLS to the NATS server; each is PEM. Without it TLS is used where the server offers it. */
export interface NodeRuntimeFleetTls {
  /** Certificates that are trusted instead of the usual ones. */
  ca?: string;
  /** This process's own. */
  cert?: string;
  key?: string;
}

/** How a worker is chosen for a machine. */
export interface NodeRuntimeFleetPlacement {
  /**
   * How long `create` waits for room before it rejects with FLEET_FULL.
   * @default 30 000
   */
  timeoutMs?: number;
  /**
   * Of so many workers that are drawn from those with room, the best one is asked.
   * @default 2
   */
  choices?: number;
}

/** Where the machine is made, if not on this host; see docs/fleet.md. */
export interface NodeRuntimeFleetOptions {
  /** NATS servers: `nats://host:4222`, or several. */
  servers: string | readonly string[];
  /**
   * How this process proves who it is.
   * @default none
   */
  credentials?: NodeRuntimeFleetCredentials;
  /**
   * Certificates of the connection to the servers.
   * @default TLS where the server offers it, with the usual certificates
   */
  tls?: NodeRuntimeFleetTls;
  /**
   * Only workers that have all of these labels.
   * @default {}
   */
  labels?: Record<string, string>;
  /**
   * How a worker is chosen.
   * @default {}
   */
  placement?: NodeRuntimeFleetPlacement;
  /**
   * After so many milliseconds of silence, each side takes the other for lost: calls reject with WORKER_LOST here,
   * the machine is ended there.
   * @default 10 000, from 1000 to 120 000
   */
  leaseMs?: number;
  /**
   * What all subjects begin with.
   * @default `secure-exec`
   */
  subject?: string;
  /**
   * What the subjects begin with on which this process is answered.
   * @default `_INBOX`
   */
  inboxPrefix?: string;
}

export type ParsedCredentials =
  | { kind: "token"; token: string }
  | { kind: "password"; user: string; password: string }
  | { kind: "nkey"; seed: string }
  | { kind: "creds"; text: string };

export interface ParsedFleetServers {
  readonly servers: string[];
  readonly credentials: ParsedCredentials | undefined;
  readonly tls: NodeRuntimeFleetTls | undefined;
  readonly subject: string;
  readonly inboxPrefix: string;
}

export interface ParsedFleet extends ParsedFleetServers {
  readonly labels: Record<string, string>;
  readonly leaseMs: number;
  readonly timeoutMs: number;
  readonly choices: number;
}

const defaultTimeoutMs = 30_000;
const longestTimeoutMs = 2 ** 31 - 1;
const mostChoices = 16;
const defaultInboxPrefix = "_INBOX";

type Bag = Readonly<Record<string, unknown>>;

function bagOf(option: string, value: unknown, known: readonly string[]): Bag {
  if (value === undefined) return {};
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalidOption(option, "must be an object");
  const given = Object.entries(value).filter(([, entry]) => entry !== undefined);
  for (const [name] of given) {
    if (!known.includes(name)) throw invalidOption(`${option}.${name}`, "is not a known option");
  }
  return Object.fromEntries(given);
}

function textOf(option: string, value: unknown): string {
  if (typeof value !== "string" || value === "")
    throw invalidOption(option, "must be a string that is not empty");
  return value;
}

function numberOf(
  option: string,
  value: unknown,
  { byDefault, least, most }: { byDefault: number; least: number; most: number },
): number {
  if (value === undefined) return byDefault;
  if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most)
    throw invalidOption(option, `must be a whole number from ${least} to ${most}`);
  return value as number;
}

function serversOf(option: string, value: unknown): string[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) throw invalidOption(option, "must name a server");
  return list.map((entry) => {
    const text = textOf(option, entry);
    if (!URL.canParse(text.includes("://") ? text : `nats://${text}`))
      throw invalidOption(option, "must hold addresses of NATS servers, such as nats://host:4222");
    return text;
  });
}

const credentialNames = ["token", "user", "password", "nkey", "creds", "credsFile"];

function credentialsOf(option: string, value: unknown): ParsedCredentials | undefined {
  if (value === undefined) return undefined;
  const given = bagOf(option, value, credentialNames);
  const names = Object.keys(given).sort().join(" ");
  const text = (name: string): string => textOf(`${option}.${name}`, given[name]);
  switch (names) {
    case "token":
      return { kind: "token", token: text("token") };
    case "password user":
      return { kind: "password", user: text("user"), password: text("password") };
    case "nkey":
      return { kind: "nkey", seed: text("nkey") };
    case "creds":
      return { kind: "creds", text: text("creds") };
    case "credsFile":
      return { kind: "creds", text: textOfFile(`${option}.credsFile`, text("credsFile")) };
    default:
      throw invalidOption(
        option,
        "must hold a token, a user and a password, an nkey, creds or a credsFile",
      );
  }
}

/** Throws INVALID_OPTION when it cannot be read. */
export function textOfFile(option: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw invalidOption(option, `cannot be read: ${(error as NodeJS.ErrnoException).code ?? "?"}`);
  }
}

/**
 * The credentials in a file: what `nsc` writes as .creds, the seed of an nkey, or JSON as in the
 * option. Throws INVALID_OPTION.
 */
export function credentialsFromFile(option: string, path: string): NodeRuntimeFleetCredentials {
  const text = textOfFile(option, path);
  if (text.includes("-----BEGIN NATS USER JWT-----")) return { creds: text };
  if (/^SU[A-Z2-7]{56}\s*$/.test(text)) return { nkey: text.trim() };
  try {
    return JSON.parse(text) as NodeRuntimeFleetCredentials;
  } catch {
    throw invalidOption(option, "is no .creds file, seed of a user's nkey or JSON of credentials");
  }
}

export function labelsOf(option: string, value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (isLabels(value)) return { ...value };
  const { labels, labelChars } = fleetLimits;
  throw invalidOption(
    option,
    `must be an object of at most ${labels} strings of at most ${labelChars} characters`,
  );
}

const serverNames = ["servers", "credentials", "tls", "subject", "inboxPrefix"];

export function parseFleetServers(given: Bag, option = "fleet"): ParsedFleetServers {
  const { subject = defaultSubjectPrefix, inboxPrefix = defaultInboxPrefix } = given;
  if (!isSubjectPrefix(subject))
    throw invalidOption(`${option}.subject`, "must be words joined by dots");
  if (!isSubjectPrefix(inboxPrefix))
    throw invalidOption(`${option}.inboxPrefix`, "must be words joined by dots");
  const tls = given.tls as NodeRuntimeFleetTls | undefined;
  const pem = bagOf(`${option}.tls`, tls, ["ca", "cert", "key"]);
  for (const name of Object.keys(pem)) textOf(`${option}.tls.${name}`, pem[name]);
  return {
    servers: serversOf(`${option}.servers`, given.servers),
    credentials: credentialsOf(`${option}.credentials`, given.credentials),
    tls: tls === undefined ? undefined : { ...tls },
    subject,
    inboxPrefix,
  };
}

export function parseFleet(value: unknown): ParsedFleet | undefined {
  if (value === undefined) return undefined;
  const given = bagOf("fleet", value, [...serverNames, "labels", "placement", "leaseMs"]);
  const placement = bagOf("fleet.placement", given.placement, ["timeoutMs", "choices"]);
  const { least, most, default: lease } = fleetLimits.leaseMs;
  return {
    ...parseFleetServers(given),
    labels: labelsOf("fleet.labels", given.labels),
    leaseMs: numberOf("fleet.leaseMs", given.leaseMs, { byDefault: lease, least, most }),
    timeoutMs: numberOf("fleet.placement.timeoutMs", placement.timeoutMs, {
      byDefault: defaultTimeoutMs,
      least: 0,
      most: longestTimeoutMs,
    }),
    choices: numberOf("fleet.placement.choices", placement.choices, {
      byDefault: 2,
      least: 1,
      most: mostChoices,
    }),
  };
}
