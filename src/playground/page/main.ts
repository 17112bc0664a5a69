/**
 * Owns the page as a whole: which event goes to which part, and the run.
 *
 * Invariant: what is shown follows from the events alone, so a page that is loaded again shows the same.
 * Untrusted: the text in events, which each part shows as text.
 */
import type { PlaygroundEvent } from "../messages.js";
import { ask, attempt, listen, notify } from "./asking.js";
import { BillTable } from "./bill.js";
import { Editor } from "./editor.js";
import { byId } from "./elements.js";
import { Files } from "./files.js";
import { Output } from "./output.js";
import { Permissions } from "./permissions.js";
import { Tabs } from "./tabs.js";
import { TerminalPane } from "./terminal.js";
import { Tools } from "./tools.js";

const tabs = new Tabs(byId("tabs", HTMLElement));
const editor = new Editor();
const output = new Output();
const bill = new BillTable();
const files = new Files();
const permissions = new Permissions();
const tools = new Tools();
const terminal = new TerminalPane();

const runButton = byId("run", HTMLButtonElement);
const stopButton = byId("stop", HTMLButtonElement);
const language = byId("language", HTMLSelectElement);

let isRunning = false;

function running(now: boolean): void {
  isRunning = now;
  // Not `disabled`: whoever has the focus there would lose it.
  runButton.setAttribute("aria-disabled", String(now));
  stopButton.setAttribute("aria-disabled", String(!now));
}

function run(): void {
  if (isRunning) return;
  attempt(async () => {
    notify("");
    const seconds = Number(byId("timeout", HTMLInputElement).value);
    await ask("run", {
      source: editor.text,
      language: language.value === "ts" ? "ts" : "js",
      stdin: byId("stdin", HTMLTextAreaElement).value,
      timeoutMs: Math.max(1, Math.round(seconds * 1000)) || 1,
    });
    tabs.select("output");
  });
}

function see(event: PlaygroundEvent): void {
  switch (event.kind) {
    case "machine":
      output.clear();
      bill.clear();
      running(false);
      permissions.machine(event.machine);
      tools.machine(event.machine);
      terminal.machine();
      files.clear(event.machine.cwd);
      files.refresh();
      return;
    case "started":
      output.started();
      return running(true);
    case "output":
      return output.add(event.stream, event.text);
    case "ended":
      output.ended(event.outcome);
      files.refresh();
      return running(false);
    case "decisions":
      return permissions.add(event.rows, event.skipped);
    case "bill":
      return bill.show(event.bill);
    case "warning":
      return bill.warn(event.limit, event.observed, event.capacity);
    case "tool":
      return tools.show(event.call);
    case "terminalOpened":
      return terminal.opened();
    case "terminal":
      return terminal.write(event.base64);
    case "terminalClosed":
      return terminal.closed(event.exitCode);
    case "lost":
      running(false);
      return notify(`The machine is lost: ${event.message}. Make a new one under Permissions.`);
    case "gap":
      return notify("Some of what happened earlier is not kept any more.");
    case "live":
      return terminal.live();
  }
}

runButton.addEventListener("click", run);
stopButton.addEventListener("click", () => {
  if (isRunning) attempt(async () => void (await ask("stop", {})));
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  run();
});
tabs.whenShown("files", () => files.refresh());

listen(see, (open) => {
  if (open) terminal.catchUp();
  byId("connection", HTMLElement).textContent = open ? "connected" : "not connected";
});
attempt(async () => {
  const { name, source } = await ask("example", {});
  if (editor.text === "") editor.text = source;
  if (/\.[mc]?ts$/.test(name)) language.value = "ts";
});
