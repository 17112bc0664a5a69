/** Owns one request of `curl`: its head, how it is made, and how it is given up. */
import * as http from "node:http";
import * as https from "node:https";
import { CommandExit, type CommandContext } from "../../command.js";
import type { Options } from "../../support/options.js";
import type { Body } from "./body.js";

export interface Request {
  url: URL;
  method: string;
  body: Body | undefined;
}

function headersOf(options: Options, body: Body | undefined): Record<string, string> {
  const headers: Record<string, string> = {
    "User-Agent": options.get("A") ?? "curl/8.0.0",
    Accept: options.has("json") ? "application/json" : "*/*",
  };
  if (options.has("u"))
    headers["Authorization"] = `Basic ${Buffer.from(options.get("u")!).toString("base64")}`;
  if (options.has("bearer")) headers["Authorization"] = `Bearer ${options.get("bearer")!}`;
  if (options.has("e")) headers["Referer"] = options.get("e")!;
  if (options.has("b")) headers["Cookie"] = options.get("b")!;
  if (options.has("r")) headers["Range"] = `bytes=${options.get("r")!}`;
  if (body !== undefined && body.type !== "") headers["Content-Type"] = body.type;
  if (body !== undefined) headers["Content-Length"] = String(body.data.length);
  for (const line of options.all("H")) {
    const colon = line.indexOf(":");
    const name = (colon === -1 ? line.replace(/;$/, "") : line.slice(0, colon)).trim();
    for (const known of Object.keys(headers))
      if (known.toLowerCase() === name.toLowerCase()) delete headers[known];
    const value = colon === -1 ? "" : line.slice(colon + 1).trim();
    // `Name:` takes a header away.
    if (value !== "" || line.endsWith(";")) headers[name] = value;
  }
  return headers;
}

/** The answer's head; its body is still to be read. */
export function request(
  context: CommandContext,
  options: Options,
  { url, method, body }: Request,
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const file = options.get("cacert");
    let authorities: Buffer | undefined;
    try {
      authorities = file === undefined ? undefined : context.fs.readFileSync(file);
    } catch {
      context.writeError(
        `curl: (77) error setting certificate verify locations:  CAfile: ${file} CApath: none\n`,
      );
      throw new CommandExit(77);
    }
    const client = url.protocol === "https:" ? https : http;
    const headers = headersOf(options, body);
    const auth =
      url.username === "" || options.has("u")
        ? undefined
        : `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    const request = client.request(url, {
      method,
      headers,
      agent: false,
      ...(auth === undefined ? {} : { auth }),
      ...(options.has("k") ? { rejectUnauthorized: false } : {}),
      ...(authorities === undefined ? {} : { ca: authorities }),
    });
    if (options.has("v")) {
      const lines = Object.entries({ Host: url.host, ...headers }).map(
        ([name, value]) => `> ${name}: ${value}\n`,
      );
      context.writeError(`> ${method} ${url.pathname}${url.search} HTTP/1.1\n${lines.join("")}>\n`);
    }
    const limit = Number(options.get("m") ?? options.get("connect") ?? 0) * 1000;
    const timer =
      limit > 0
        ? setTimeout(
            () => request.destroy(Object.assign(new Error("timeout"), { code: "ETIMEDOUT" })),
            limit,
          )
        : undefined;
    request.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    request.on("response", (response) => {
      if (!options.has("m")) clearTimeout(timer);
      response.on("close", () => clearTimeout(timer));
      if (options.has("v"))
        context.writeError(headerText(response).replace(/^/gm, "< ").replace(/< $/, ""));
      resolve(response);
    });
    request.end(body?.data);
  });
}

/** The head of an answer as it came. */
export function headerText(response: http.IncomingMessage): string {
  let text = `HTTP/${response.httpVersion} ${response.statusCode} ${response.statusMessage}\r\n`;
  const raw = response.rawHeaders;
  for (let at = 0; at < raw.length; at += 2) text += `${raw[at]}: ${raw[at + 1]}\r\n`;
  return `${text}\r\n`;
}
