// A headless Chromium, driven over two pipes (--remote-debugging-pipe): no port, no package. Ends with the test file.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const command = ["chromium", "chromium-browser", "google-chrome"].find(
  (name) => spawnSync(name, ["--version"], { timeout: 60_000 }).status === 0,
);

/** Why tests of pages are skipped here, or false. */
export const noBrowser = command === undefined ? "no chromium is installed on this machine" : false;

const flags = [
  "--headless=new",
  "--remote-debugging-pipe",
  "--no-first-run",
  "--no-default-browser-check",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--hide-scrollbars",
  "--force-color-profile=srgb",
  "--window-size=1440,1000",
];

/** What the DevTools protocol says and is asked: JSON with a NUL behind each message. */
class Connection {
  #next = 1;
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  #waiting = new Map();
  #listeners = new Set();
  #rest = "";

  constructor(child) {
    this.child = child;
    child.stdio[4].setEncoding("utf8").on("data", (text) => this.#read(text));
    child.stdio[3].on("error", () => {});
    child.on("exit", (code, signal) => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`the browser ended (${code ?? signal})`));
      this.#waiting.clear();
    });
  }

  #read(text) {
    const messages = (this.#rest + text).split("\0");
    this.#rest = messages.pop();
    for (const message of messages.map((one) => JSON.parse(one))) {
      const { id, error, result } = message;
      if (id === undefined) for (const listener of this.#listeners) listener(message);
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error !== undefined) waiting?.reject(new Error(JSON.stringify(error)));
      else waiting?.resolve(result);
    }
  }

  send(method, params = {}, sessionId = undefined) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  listen(listener) {
    this.#listeners.add(listener);
  }
}

export class Page {
  #connection;
  #session;
  /** What the page or the browser complained about: errors, refused scripts, dialogs. */
  complaints = [];
  /** Addresses of what was opened beside the page. */
  opened = [];

  constructor(connection, session, target) {
    this.#connection = connection;
    this.#session = session;
    connection.listen(({ method, params, sessionId }) => {
      if (method === "Target.targetCreated" && params.targetInfo.openerId === target)
        this.opened.push(params.targetInfo.url);
      if (sessionId !== session) return;
      if (method === "Runtime.exceptionThrown")
        this.complaints.push(
          params.exceptionDetails.exception?.description ?? params.exceptionDetails.text,
        );
      if (method === "Log.entryAdded" && params.entry.level === "error")
        this.complaints.push(`${params.entry.source}: ${params.entry.text}`);
      if (method === "Page.javascriptDialogOpening") {
        this.complaints.push(`dialog: ${params.message}`);
        this.send("Page.handleJavaScriptDialog", { accept: false }).catch(() => {});
      }
    });
  }

  send(method, params = {}) {
    return this.#connection.send(method, params, this.#session);
  }

  async goto(url) {
    const { errorText } = await this.send("Page.navigate", { url });
    if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
    await this.until("document.readyState === 'complete'");
  }

  /** The value of an expression in the page; a promise is awaited. */
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined)
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Resolves once the expression is true in the page; the test's own time limit ends the wait. */
  async until(expression) {
    for (;;) {
      // A page that is left takes its expression along.
      const value = await this.evaluate(
        `(() => { try { return ${expression}; } catch { return false; } })()`,
      ).catch((error) => {
        if (this.#connection.child.exitCode !== null || /browser ended/.test(error.message))
          throw error;
        return false;
      });
      if (value) return value;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Presses and releases a key, as `key` of a KeyboardEvent is called. */
  async press(key, { ctrl = false, shift = false } = {}) {
    const codes = { Enter: 13, Tab: 9, F6: 117, ArrowRight: 39, ArrowLeft: 37, Home: 36, End: 35 };
    const modifiers = (ctrl ? 2 : 0) + (shift ? 8 : 0);
    const text = key === "Enter" && !ctrl ? "\r" : undefined;
    const common = { key, code: key, windowsVirtualKeyCode: codes[key], modifiers };
    await this.send("Input.dispatchKeyEvent", {
      type: text === undefined ? "rawKeyDown" : "keyDown",
      ...common,
      ...(text !== undefined && { text }),
    });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...common });
  }

  /** Presses the keys of a text, one by one. */
  async keys(text) {
    for (const key of text) {
      await this.send("Input.dispatchKeyEvent", { type: "keyDown", key, text: key });
      await this.send("Input.dispatchKeyEvent", { type: "keyUp", key });
    }
  }

  /** Puts a text where the focus is, as a paste or an input method does. */
  type(text) {
    return this.send("Input.insertText", { text });
  }

  click(selector) {
    return this.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);
  }

  text(selector) {
    return this.evaluate(`document.querySelector(${JSON.stringify(selector)}).innerText`);
  }

  /** "light" or "dark", as the user's system would say. */
  prefer(scheme) {
    return this.send("Emulation.setEmulatedMedia", {
      features: [
        { name: "prefers-color-scheme", value: scheme },
        { name: "prefers-reduced-motion", value: "reduce" },
      ],
    });
  }

  async screenshot() {
    const { data } = await this.send("Page.captureScreenshot", { format: "png" });
    return Buffer.from(data, "base64");
  }

  /** What axe finds wrong, a line each: rule, impact, where. */
  async axe() {
    const source = readFileSync(
      createRequire(import.meta.url).resolve("axe-core/axe.min.js"),
      "utf8",
    );
    await this.evaluate(`${source};0`);
    return this.evaluate(`axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
      violations.flatMap(({ id, impact, nodes }) => nodes.map(({ target, failureSummary }) =>
        [id, impact, target.join(" "), failureSummary].join(" | "))))`);
  }
}

/** @type {Promise<Connection> | undefined} */
let browser;

async function start() {
  const folder = mkdtempSync(join(tmpdir(), "secure-exec-browser-"));
  const child = spawn(
    /** @type {string} */ (command),
    [
      ...flags,
      // Root has no user namespace of its own to keep pages in.
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
      `--user-data-dir=${folder}`,
      "about:blank",
    ],
    { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"], detached: true },
  );
  process.on("exit", () => {
    try {
      process.kill(-(/** @type {number} */ (child.pid)), "SIGKILL");
    } catch {
      // It is gone already.
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  const connection = new Connection(child);
  await connection.send("Target.setDiscoverTargets", { discover: true });
  return connection;
}

/** A page of its own, with cookies and storage of its own. */
export async function newPage() {
  browser ??= start();
  const connection = await browser;
  const { browserContextId } = await connection.send("Target.createBrowserContext");
  const { targetId } = await connection.send("Target.createTarget", {
    url: "about:blank",
    browserContextId,
  });
  const { sessionId } = await connection.send("Target.attachToTarget", { targetId, flatten: true });
  const page = new Page(connection, sessionId, targetId);
  for (const domain of ["Page", "Runtime", "Log"]) await page.send(`${domain}.enable`);
  return page;
}

/** Ends the browser, so that the test file can end. */
export async function closeBrowser() {
  if (browser === undefined) return;
  const { child } = await browser;
  const exited = once(child, "exit");
  process.kill(-child.pid, "SIGKILL");
  await exited;
}
