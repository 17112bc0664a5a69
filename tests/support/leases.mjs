// What an operator does with the bucket of leases: by the broker's own subjects, as the tools of NATS do.
import { setTimeout as pause } from "node:timers/promises";
import { connect, headers } from "@nats-io/transport-node";

export const stream = "KV_secure-exec";
const base = "$KV.secure-exec.";
const decoder = new TextDecoder();

const open = new Set();
/** For `after`: a test that failed before it closed them keeps no file waiting. */
export const closeOperators = () => Promise.all([...open].map((connection) => connection.close()));

/** A connection to that broker, which ends with `close`. */
export async function operator(servers, credentials = {}) {
  const connection = await connect({ servers, ...credentials });
  open.add(connection);
  /** A request of JetStream's API about the bucket. */
  async function api(what, request = {}) {
    const { data } = await connection.request(
      `$JS.API.${what}.${stream}`,
      JSON.stringify(request),
      { timeout: 5000 },
    );
    return JSON.parse(decoder.decode(data));
  }
  /** All keys, without those that were deleted: what is written there, and its revision. */
  async function leases() {
    const { state, error } = await api("STREAM.INFO", { subjects_filter: `${base}>` });
    if (error !== undefined) return [];
    const found = await Promise.all(
      Object.keys(state.subjects ?? {}).map(async (subject) => {
        const { message } = await api("STREAM.MSG.GET", { last_by_subj: subject });
        if (message?.data === undefined) return [];
        const text = JSON.parse(Buffer.from(message.data, "base64").toString());
        return [{ key: subject.slice(base.length), revision: message.seq, ...text }];
      }),
    );
    return found.flat();
  }
  const machines = async () => (await leases()).filter(({ key }) => key.includes(".vm."));
  return {
    connection,
    api,
    leases,
    machines,
    close: () => connection.close(),
    /** A bucket of the operator's own, as `nats kv add secure-exec --ttl 3s` makes it. */
    make: (config = {}) =>
      api("STREAM.CREATE", {
        name: stream,
        subjects: [`${base}>`],
        storage: "memory",
        discard: "new",
        max_msgs_per_subject: 1,
        max_age: 3e9,
        duplicate_window: 3e9,
        allow_rollup_hdrs: true,
        deny_delete: true,
        ...config,
      }),
    /** As `nats kv del` does. */
    async revoke(key) {
      const order = headers();
      order.set("KV-Operation", "DEL");
      await connection.request(base + key, new Uint8Array(0), { headers: order, timeout: 5000 });
    },
    put: (key, text) => connection.request(base + key, text, { timeout: 5000 }),
    /** The machines' leases, once they are as wanted. Asked for without a pause, they would keep a processor and the broker busy. */
    async until(isWanted) {
      for (;;) {
        const found = await machines();
        if (isWanted(found)) return found;
        await pause(20);
      }
    },
    /** Resolves once there is no key at all. */
    async untilEmpty() {
      while ((await leases()).length > 0) await pause(20);
    },
  };
}
