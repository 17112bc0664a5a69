/**
 * Owns asking the name servers that a program has set itself, over datagram
 * sockets of the kernel: they are reached, or not, like any other address.
 */
import { SocketType } from "../../protocol/net-calls.js";
import type { GuestEnvironment } from "../environment.js";
import { decodeAnswer, encodeQuestion, recordTypes, reverseName } from "./dns-message.js";
import type { DnsRecord } from "./dns-message.js";
import { later } from "../turns.js";

export interface DnsQuestion {
  type: string;
  name: string;
  servers: readonly (readonly [address: string, port: number])[];
  /** Of the first round through the servers; each round has twice the time of the one before, as ares_process.c has it, */
  timeoutMs: number;
  /** up to this, where it is above 0. */
  mostTimeoutMs: number;
  tries: number;
}

/** `code` is empty, or an error as node:dns has it; `words` are the kernel's, for what it denied. */
export type DnsDone = (code: string, records: readonly DnsRecord[], words: string) => void;

/** TIMEOUT_MAX of lib/internal/timers.js. */
const longestTimerMs = 2 ** 31 - 1;

export type AskServers = (question: DnsQuestion, done: DnsDone) => () => void;

export function createDnsClient(env: GuestEnvironment): AskServers {
  const { kernel } = env;
  const { setTimeout, clearTimeout } = env.requireBuiltin("timers");
  const random = Math.random;

  return ({ type, name, servers, timeoutMs, mostTimeoutMs, tries }, done) => {
    const reverse = type === "REVERSE";
    const wanted = reverse ? recordTypes["PTR"]! : recordTypes[type]!;
    const id = Math.floor(random() * 0x10000);
    const packet = encodeQuestion(id, reverse ? reverseName(name) : name, wanted);
    let fd = -1;
    let finished = false;
    let timer: unknown;
    let attempt = 0;
    const finish = (code: string, records: readonly DnsRecord[] = [], words = ""): void => {
      if (finished) return;
      finished = true;
      clearTimeout(timer);
      if (fd >= 0) kernel.callAsync("close", { fd }, () => undefined);
      done(code, records, words);
    };
    const cancel = (): void => finish("ECANCELLED");
    const socket = packet === undefined ? -1 : kernel.call("socket", { type: SocketType.udp });
    if (packet === undefined || typeof socket === "number") {
      later(() => finish(packet === undefined ? "EBADNAME" : "ENOMEM"));
      return cancel;
    }
    fd = socket.fd;
    const receive = (): void => {
      const call = kernel.callAsync("receiveFrom", { fd }, (result) => {
        if (finished) return;
        if (typeof result === "number") return finish("ECONNREFUSED");
        const data = Buffer.from(result.data);
        const known = servers.some(
          ([address, port]) => port === result.port && address === result.address,
        );
        if (!known || data.length < 12 || data.readUInt16BE(0) !== id) return receive();
        let answer: DnsRecord[] | string;
        try {
          answer = decodeAnswer(data);
        } catch {
          answer = "EBADRESP";
        }
        if (typeof answer === "string") return finish(answer);
        const records =
          wanted === recordTypes["ANY"]
            ? answer
            : answer.filter((record) => record.type === wanted);
        finish(records.length === 0 ? "ENODATA" : "", records);
      });
      call.unref();
    };
    const send = (): void => {
      if (attempt >= tries * servers.length) return finish("ETIMEOUT");
      const waitMs = timeoutMs * 2 ** Math.floor(attempt / servers.length);
      const [address, port] = servers[attempt++ % servers.length]!;
      kernel.callAsync("sendTo", { fd, address, port, data: packet }, (result, words) => {
        if (words !== "") finish("EACCES", [], words);
        else if (typeof result === "number") finish("ECONNREFUSED");
      });
      timer = setTimeout(
        send,
        Math.min(waitMs, mostTimeoutMs > 0 ? mostTimeoutMs : longestTimerMs),
      );
    };
    receive();
    send();
    return cancel;
  };
}
