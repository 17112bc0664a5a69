/** Owns what `curl` tells of a transfer when it is over. */
import type { IncomingMessage } from "node:http";
import type { CommandContext } from "../../command.js";
import { readAll, standardInput } from "../../support/input.js";
import type { Options } from "../../support/options.js";
import { headerText } from "./request.js";

export interface Figures {
  /** By the clock of `performance`. */
  started: number;
  bytes: number;
  headBytes: number;
  redirects: number;
  /** The last one asked for. */
  url: string;
  fileName: string;
}

/** What -w asks for, at the end of a transfer; `response` is undefined where none came. */
export function writeOut(
  context: CommandContext,
  options: Options,
  response: IncomingMessage | undefined,
  transfer: Figures,
): void {
  let format = options.get("w");
  if (format === undefined) return;
  if (format.startsWith("@")) {
    format =
      format === "@-"
        ? readAll(standardInput(context)).toString("utf8")
        : context.fs.readFileSync(format.slice(1), "utf8");
  }
  const seconds = ((performance.now() - transfer.started) / 1000).toFixed(6);
  const values: Record<string, string> = {
    http_code: String(response?.statusCode ?? 0).padStart(3, "0"),
    response_code: String(response?.statusCode ?? 0).padStart(3, "0"),
    size_download: String(transfer.bytes),
    content_type: response?.headers["content-type"] ?? "",
    size_header: String(
      response === undefined ? 0 : Math.max(transfer.headBytes, headerText(response).length),
    ),
    num_headers: String((response?.rawHeaders.length ?? 0) / 2),
    url: transfer.url,
    filename_effective: transfer.fileName,
    speed_download: String(Math.round(transfer.bytes / Math.max(Number(seconds), 1e-6))),
    time_connect: seconds,
    time_namelookup: seconds,
    time_appconnect: "0.000000",
    time_pretransfer: seconds,
    time_redirect: "0.000000",
    remote_ip: response?.socket.remoteAddress ?? "",
    remote_port: String(response?.socket.remotePort ?? 0),
    ssl_verify_result: "0",
    errormsg: "",
    url_effective: transfer.url,
    num_redirects: String(transfer.redirects),
    redirect_url:
      response?.headers.location === undefined
        ? ""
        : new URL(response.headers.location, transfer.url).href,
    time_total: seconds,
    time_starttransfer: seconds,
    http_version: response?.httpVersion ?? "0",
    method: options.get("X") ?? "GET",
    scheme: new URL(transfer.url).protocol.slice(0, -1).toUpperCase(),
    exitcode: "0",
  };
  const text = format
    .replace(/%\{json\}/g, () => JSON.stringify(values))
    .replace(/%header\{([^}]*)\}/g, (_, name: string) =>
      String(response?.headers[name.toLowerCase()] ?? ""),
    )
    .replace(/%\{(\w+)\}/g, (_, name: string) => values[name] ?? "")
    .replace(
      /\\([ntr\\])/g,
      (_, letter: string) => ({ n: "\n", t: "\t", r: "\r", "\\": "\\" })[letter]!,
    );
  context.write(text);
}
