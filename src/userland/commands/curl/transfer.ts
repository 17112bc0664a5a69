/** Owns one transfer of `curl`: its redirects, where what comes goes, and its exit code. */
import type { IncomingMessage } from "node:http";
import { fileURLToPath } from "node:url";
import { CommandExit, CommandFailure, type CommandContext } from "../../command.js";
import { errorText } from "../../support/errors.js";
import type { Options } from "../../support/options.js";
import { requestBody, type Body } from "./body.js";
import { networkFailure } from "./failures.js";
import { writeOut } from "./report.js";
import { headerText, request } from "./request.js";

const maxRedirects = 50;

export class Transfer {
  #fd = -1;
  #size = 0;
  #redirects = 0;
  readonly #started = performance.now();
  #effective = "";
  #dumped = false;
  #headBytes = 0;

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
    let body: Body | undefined;
    try {
      body = requestBody(this.context, options);
    } catch (error) {
      if (error instanceof CommandFailure || error instanceof CommandExit) throw error;
      return this.#fail(
        26,
        `Failed to open/read local data from file/application (${errorText(error)})`,
      );
    }
    let method = methodOf(options, body);
    if (options.has("G") && body !== undefined) {
      url.search += (url.search === "" ? "?" : "&") + body.data.toString("utf8");
      body = undefined;
    }
    try {
      for (;;) {
        this.#effective = url.href;
        const response = await request(this.context, options, { url, method, body });
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
        if (failed && !options.has("failBody")) response.destroy();
        else await this.#receive(response);
        this.#finish(response);
        return failed ? this.#fail(22, `The requested URL returned error: ${code}`) : 0;
      }
    } catch (error) {
      if (error instanceof CommandExit || error instanceof CommandFailure) throw error;
      this.#finish(undefined);
      const { status, message } = networkFailure(url, error, {
        ms: Math.round(performance.now() - this.#started),
        bytes: this.#size,
      });
      return this.#fail(status, message);
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
  #dumpHead(response: IncomingMessage): void {
    const path = this.options.get("D");
    if (path === undefined) return;
    const text = headerText(response);
    this.#headBytes += text.length;
    if (path === "-") return this.context.write(text);
    this.context.fs.writeFileSync(path, text, { flag: this.#dumped ? "a" : "w" });
    this.#dumped = true;
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

  async #receive(response: IncomingMessage): Promise<void> {
    this.#size = 0;
    if (this.target !== undefined) this.#emit(Buffer.alloc(0));
    for await (const chunk of response) this.#emit(chunk as Buffer);
  }

  #finish(response: IncomingMessage | undefined): void {
    writeOut(this.context, this.options, response, {
      started: this.#started,
      bytes: this.#size,
      headBytes: this.#headBytes,
      redirects: this.#redirects,
      url: this.#effective,
      fileName: this.target?.value ?? "",
    });
  }
}

function methodOf(options: Options, body: Body | undefined): string {
  const given = options.get("X");
  if (given !== undefined) return given;
  if (options.has("I")) return "HEAD";
  if (options.has("T")) return "PUT";
  return body === undefined || options.has("G") ? "GET" : "POST";
}
