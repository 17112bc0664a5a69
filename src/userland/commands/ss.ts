/** Owns `ss` and `netstat`: sockets out of /proc/net, which the machine does not show; that is said. */
import { CommandFailure, type Command } from "../command.js";
import { parseOptions } from "../support/options.js";
import { readText } from "../support/processes.js";

const states: Record<string, string> = {
  "01": "ESTAB",
  "02": "SYN-SENT",
  "03": "SYN-RECV",
  "04": "FIN-WAIT-1",
  "05": "FIN-WAIT-2",
  "06": "TIME-WAIT",
  "07": "UNCONN",
  "08": "CLOSE-WAIT",
  "09": "LAST-ACK",
  "0A": "LISTEN",
  "0B": "CLOSING",
};

export const main: Command = (context) => {
  const options = parseOptions(context, "Haeilmnoprstuwx46", {
    listening: "l",
    numeric: "n",
    tcp: "t",
    udp: "u",
    unix: "x",
    all: "a",
    processes: "p",
    "no-header": "H",
  });
  const kinds = (["t", "u"] as const).filter((kind) => options.has(kind) || !options.has("t", "u"));
  const tables = kinds.flatMap((kind) =>
    ["", "6"].map((family) => ({
      kind,
      text: readText(context, `/proc/net/${kind === "t" ? "tcp" : "udp"}${family}`),
    })),
  );
  if (tables.every(({ text }) => text === "")) {
    throw new CommandFailure(
      "the machine does not list its sockets (there is no /proc/net); ask the program, or try the port with curl",
      1,
    );
  }
  if (!options.has("H"))
    context.write("Netid State      Recv-Q Send-Q Local Address:Port   Peer Address:Port\n");
  for (const { kind, text } of tables) {
    for (const line of text.split("\n").slice(1)) {
      const [, local = "", peer = "", state = ""] = line.trim().split(/\s+/);
      const name = states[state] ?? "UNCONN";
      const listens = name === "LISTEN" || name === "UNCONN";
      if (local === "" || (!options.has("a") && listens !== options.has("l"))) continue;
      context.write(
        `${kind === "t" ? "tcp" : "udp"}   ${name.padEnd(10)} 0      0      ${address(local).padEnd(20)} ${address(peer)}\n`,
      );
    }
  }
  return 0;
};

/** `0100007F:1F90`: the address in the machine's byte order. */
function address(text: string): string {
  const [host = "", port = "0"] = text.split(":");
  const number = parseInt(port, 16);
  const bytes = Buffer.from(host, "hex");
  const shown =
    bytes.length === 4
      ? [...bytes].reverse().join(".")
      : `[${Array.from({ length: 4 }, (_, at) =>
          [...bytes.subarray(at * 4, at * 4 + 4)]
            .reverse()
            .map((byte) => byte.toString(16).padStart(2, "0"))
            .join("")
            .replace(/^(.{4})/, "$1:"),
        ).join(":")}]`;
  return `${shown}:${number === 0 ? "*" : number}`;
}
