/** Owns `curl`, for http and https over Node's own clients. */
import * as http from "node:http";
import * as https from "node:https";
import { fileURLToPath } from "node:url";
import { CommandExit, CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorCode, errorText } from "../support/errors.js";
import { parseOptions, type Options } from "../support/options.js";
import { readAll, standardInput } from "../support/input.js";

const maxRedirects = 50;

const longOptions = {
  silent: "s",
  "show-error": "S",
  fail: "f",
  "fail-with-body": "failBody",
  "request=": "X",
  "data=": "d",
  "data-raw=": "raw",
  "data-binary=": "binary",
  "data-ascii=": "d",
  "data-urlencode=": "encode",
  "json=": "json",
  "header=": "H",
  "output=": "o",
  "remote-name": "O",
  "output-dir=": "dir",
  "create-dirs": "create",
  location: "L",
  include: "i",
  head: "I",
  "write-out=": "w",
  "user=": "u",
  "user-agent=": "A",
  "referer=": "e",
  insecure: "k",
  verbose: "v",
  get: "G",
  "max-time=": "m",
  "connect-timeout=": "connect",
  "cookie=": "b",
  "upload-file=": "T",
  "form=": "F",
  "no-buffer": "N",
  "retry=": "retry",
  "retry-delay=": "retryDelay",
  compressed: "compressed",
  "url=": "url",
  "max-redirs=": "redirs",
  "oauth2-bearer=": "bearer",
  "http1.1": "h1",
  "no-progress-meter": "s",
  "progress-bar": "#",
  globoff: "g",
  "range=": "r",
  "dump-header=": "D",
  "noproxy=": "noproxy",
  "proxy=": "x",
  "cacert=": "cacert",
  "cookie-jar=": "c",
  "fail-early": "failEarly",
  "location-trusted": "L",
  http1: "h1",
  "http1.0": "h1",
  http2: "h2",
  ipv4: "4",
  ipv6: "6",
  "remote-time": "remoteTime",
  "tlsv1.2": "tls",
  "proto=": "proto",
};

export const main: Command = async (context) => {
  const options = parseOptions(
    context,
    "sSfX:d:D:H:o:OLiIw:u:A:e:kvGm:b:c:T:F:gN#x:0146r:j",
    longOptions,
    { status: 2 },
  );
  const urls = [...options.all("url"), ...options.operands];
  if (urls.length === 0)
    throw new CommandFailure(
      "no URL specified!",
      2,
      "curl: try 'curl --help' or 'curl --manual' for more information\n",
    );
  let status = 0;
  const outputs = options.list.filter(({ key }) => key === "o" || key === "O");
  for (const [index, url] of urls.entries()) {
    const transfer = new Transfer(context, options, outputs[index]);
    status = await transfer.run(url);
  }
  return status;
};

class Transfer {
  #fd = -1;
  #size = 0;
  #redirects = 0;
  #started = performance.now();
  #effective = "";

  constructor(
    private readonly context: CommandContext,
    private readonly options: Options,
    private readonly target: { key: string; value: string } | undefined,
  ) {}

  #fail(status: number, message: string): number {
    const { options } = this;
    if (!options.has("s") || options.has("S"))
      this.context.writeError(`curl: (${status}) ${message}\n`);
    return status;
  }

  #body(): { data: Buffer; type: string } | undefined {
    const { options, context } = this;
    const upload = options.get("T");
    if (upload !== undefined) {
      const data =
        upload === "-" ? readAll(standardInput(context)) : context.fs.readFileSync(upload);
      return { data, type: "" };
    }
    const form = options.all("F");
    if (form.length > 0) return this.#form(form);
    const parts: string[] = [];
    let json = false;
    for (const { key, value } of options.list) {
      if (key === "raw") parts.push(value);
      else if (key === "d" || key === "binary" || key === "json") {
        json ||= key === "json";
        if (!value.startsWith("@")) parts.push(value);
        else {
          const name = value.slice(1);
          const text = (
            name === "-" ? readAll(standardInput(context)) : context.fs.readFileSync(name)
          ).toString("latin1");
          parts.push(
            Buffer.from(key === "d" ? text.replace(/[\r\n]/g, "") : text, "latin1").toString(
              "utf8",
            ),
          );
        }
      } else if (key === "encode") {
        const equals = value.indexOf("=");
        const [name, content] =
          equals === -1 ? ["", value] : [value.slice(0, equals), value.slice(equals + 1)];
        parts.push((name === "" ? "" : `${name}=`) + encodeURIComponent(content));
      }
    }
    if (parts.length === 0) return undefined;
    return {
      data: Buffer.from(json ? parts.join("") : parts.join("&")),
      type: json ? "application/json" : "application/x-www-form-urlencoded",
    };
  }

  #form(fields: string[]): { data: Buffer; type: string } {
    const boundary = `------------------------${Math.random().toString(16).slice(2).padEnd(16, "0").slice(0, 16)}`;
    const parts: Buffer[] = [];
    for (const field of fields) {
      const match = /^([^=]+)=([^]*)$/.exec(field);
      if (match === null)
        throw new CommandFailure(
          "(26) Illegally formatted input field!".replace(/^\(26\) /, "(2) "),
          2,
        );
      const [name, value] = [match[1]!, match[2]!];
      const file = /^[@<]([^;]*)(?:;type=([^;]*))?/.exec(value);
      let head = `--${boundary}\r\nContent-Disposition: form-data; name="${name}"`;
      if (file !== null && value.startsWith("@")) {
        head += `; filename="${file[1]!.split("/").at(-1)!}"\r\nContent-Type: ${file[2] ?? "application/octet-stream"}`;
      }
      const content = file === null ? Buffer.from(value) : this.context.fs.readFileSync(file[1]!);
      parts.push(Buffer.from(`${head}\r\n\r\n`), content, Buffer.from("\r\n"));
    }
    parts.push(Buffer.from(`--${boundary}--\r\n`));
    return { data: Buffer.concat(parts), type: `multipart/form-data; boundary=${boundary}` };
  }

  #headers(body: { data: Buffer; type: string } | undefined): Record<string, string> {
    const { options } = this;
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

  async run(text: string): Promise<number> {
    const { options } = this;
    let url: URL;
    try {
      url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
    } catch {
      return this.#fail(3, "URL using bad/illegal format or missing URL");
    }
    if (url.protocol === "file:") return this.#local(url);
    if (url.protocol !== "http:" && url.protocol !== "https:") {
      return this.#fail(
        1,
        `Protocol "${url.protocol.slice(0, -1)}" not supported or disabled in libcurl`,
      );
    }
    let body: { data: Buffer; type: string } | undefined;
    try {
      body = this.#body();
    } catch (error) {
      if (error instanceof CommandFailure || error instanceof CommandExit) throw error;
      return this.#fail(
        26,
        `Failed to open/read local data from file/application (${errorText(error)})`,
      );
    }
    let method =
      options.get("X") ??
      (options.has("I")
        ? "HEAD"
        : options.has("T")
          ? "PUT"
          : body === undefined || options.has("G")
            ? "GET"
            : "POST");
    if (options.has("G") && body !== undefined) {
      url.search += (url.search === "" ? "?" : "&") + body.data.toString("utf8");
      body = undefined;
    }
    try {
      for (;;) {
        this.#effective = url.href;
        const response = await this.#request(url, method, body);
        const { location } = response.headers;
        const code = response.statusCode ?? 0;
        this.#dumpHead(response);
        if (options.has("i", "I")) this.#emit(Buffer.from(headerText(response)));
        if (options.has("L") && location !== undefined && code >= 300 && code < 400) {
          response.resume();
          if (++this.#redirects > Number(options.get("redirs") ?? maxRedirects)) {
            return this.#fail(
              47,
              `Maximum (${options.get("redirs") ?? maxRedirects}) redirects followed`,
            );
          }
          url = new URL(location, url);
          if (code === 303 || (code < 303 && method === "POST" && !options.has("X"))) {
            method = method === "HEAD" ? "HEAD" : "GET";
            body = undefined;
          }
          continue;
        }
        const failed = code >= 400 && options.has("f", "failBody");
        if (failed && !options.has("failBody")) {
          response.destroy();
          this.#finish(response);
          return this.#fail(22, `The requested URL returned error: ${code}`);
        }
        await this.#receive(response);
        this.#finish(response);
        return failed ? this.#fail(22, `The requested URL returned error: ${code}`) : 0;
      }
    } catch (error) {
      if (error instanceof CommandExit || error instanceof CommandFailure) throw error;
      this.#finish(undefined);
      return this.#networkFailure(url, error);
    } finally {
      if (this.#fd >= 0) this.context.fs.closeSync(this.#fd);
    }
  }

  /** A file of the machine. */
  #local(url: URL): number {
    this.#effective = url.href;
    const path = fileURLToPath(url);
    try {
      this.#emit(this.context.fs.readFileSync(path));
    } catch (error) {
      errorText(error);
      return this.#fail(37, `Couldn't open file ${path}`);
    } finally {
      if (this.#fd >= 0) this.context.fs.closeSync(this.#fd);
    }
    this.#finish(undefined);
    return 0;
  }

  /** -D: the head of every answer, also of redirects. */
  #dumpHead(response: http.IncomingMessage): void {
    const path = this.options.get("D");
    if (path === undefined) return;
    const text = headerText(response);
    this.#headBytes += text.length;
    if (path === "-") return this.context.write(text);
    this.context.fs.writeFileSync(path, text, { flag: this.#dumped ? "a" : "w" });
    this.#dumped = true;
  }

  #dumped = false;
  #headBytes = 0;

  #networkFailure(url: URL, error: unknown): number {
    const port = url.port || (url.protocol === "https:" ? "443" : "80");
    const code = errorCode(error) ?? "";
    const ms = Math.round(performance.now() - this.#started);
    switch (code) {
      case "ENOTFOUND":
      case "EAI_AGAIN":
        return this.#fail(6, `Could not resolve host: ${url.hostname}`);
      case "ECONNREFUSED":
      case "EHOSTUNREACH":
      case "ENETUNREACH":
      case "EACCES":
        return this.#fail(
          7,
          `Failed to connect to ${url.hostname} port ${port} after ${ms} ms: Couldn't connect to server`,
        );
      case "ETIMEDOUT":
        return this.#fail(
          28,
          `Operation timed out after ${ms} milliseconds with ${this.#size} bytes received`,
        );
      case "ECONNRESET":
        return this.#fail(52, "Empty reply from server");
      case "ENOENT":
      case "EISDIR":
        return this.#fail(23, `Failure writing output to destination`);
    }
    if (code.includes("CERT") || code.includes("SIGNATURE") || code.includes("SELF_SIGNED")) {
      return this.#fail(60, `SSL certificate problem: ${(error as Error).message}`);
    }
    return this.#fail(56, (error as Error).message);
  }

  #request(
    url: URL,
    method: string,
    body: { data: Buffer; type: string } | undefined,
  ): Promise<http.IncomingMessage> {
    const { options, context } = this;
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
      const headers = this.#headers(body);
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
        context.writeError(
          `> ${method} ${url.pathname}${url.search} HTTP/1.1\n${lines.join("")}>\n`,
        );
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

  #emit(data: Buffer): void {
    const { context, options, target } = this;
    this.#size += data.length;
    if (target === undefined || (target.key === "o" && target.value === "-")) {
      context.write(data);
      context.flush();
      return;
    }
    if (this.#fd < 0) {
      const name =
        target.key === "o"
          ? target.value
          : (new URL(this.#effective).pathname.split("/").at(-1) ?? "");
      if (name === "")
        throw new CommandFailure(
          "(23) Failed to extract a filename from the URL to use for storage",
          23,
        );
      const directory = options.get("dir");
      const path = directory === undefined ? name : `${directory}/${name}`;
      if (options.has("create") && path.includes("/")) {
        context.fs.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      }
      this.#fd = context.fs.openSync(path, "w");
    }
    for (let at = 0; at < data.length;) at += context.fs.writeSync(this.#fd, data, at);
  }

  async #receive(response: http.IncomingMessage): Promise<void> {
    this.#size = 0;
    if (this.target !== undefined) this.#emit(Buffer.alloc(0));
    for await (const chunk of response) this.#emit(chunk as Buffer);
  }

  #finish(response: http.IncomingMessage | undefined): void {
    let format = this.options.get("w");
    if (format === undefined) return;
    if (format.startsWith("@")) {
      format =
        format === "@-"
          ? readAll(standardInput(this.context)).toString("utf8")
          : this.context.fs.readFileSync(format.slice(1), "utf8");
    }
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(6);
    const values: Record<string, string> = {
      http_code: String(response?.statusCode ?? 0).padStart(3, "0"),
      response_code: String(response?.statusCode ?? 0).padStart(3, "0"),
      size_download: String(this.#size),
      content_type: response?.headers["content-type"] ?? "",
      size_header: String(
        response === undefined ? 0 : Math.max(this.#headBytes, headerText(response).length),
      ),
      num_headers: String((response?.rawHeaders.length ?? 0) / 2),
      url: this.#effective,
      filename_effective: this.target?.value ?? "",
      speed_download: String(Math.round(this.#size / Math.max(Number(seconds), 1e-6))),
      time_connect: seconds,
      time_namelookup: seconds,
      time_appconnect: "0.000000",
      time_pretransfer: seconds,
      time_redirect: "0.000000",
      remote_ip: response?.socket.remoteAddress ?? "",
      remote_port: String(response?.socket.remotePort ?? 0),
      ssl_verify_result: "0",
      errormsg: "",
      url_effective: this.#effective,
      num_redirects: String(this.#redirects),
      redirect_url:
        response?.headers.location === undefined
          ? ""
          : new URL(response.headers.location, this.#effective).href,
      time_total: seconds,
      time_starttransfer: seconds,
      http_version: response?.httpVersion ?? "0",
      method: this.options.get("X") ?? "GET",
      scheme: new URL(this.#effective).protocol.slice(0, -1).toUpperCase(),
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
    this.context.write(text);
  }
}

function headerText(response: http.IncomingMessage): string {
  let text = `HTTP/${response.httpVersion} ${response.statusCode} ${response.statusMessage}\r\n`;
  const raw = response.rawHeaders;
  for (let at = 0; at < raw.length; at += 2) text += `${raw[at]}: ${raw[at + 1]}\r\n`;
  return `${text}\r\n`;
}
