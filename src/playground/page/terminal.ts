/**
 * Owns the terminal: the library that draws it, and the keys on their way to the machine.
 *
 * Invariants: bytes of the machine are for the screen; a link in them opens nothing, a title, a window operation and a
 * clipboard sequence do nothing. What the library answers to queries goes to the machine only for output that happens
 * now. Keys arrive in the order in which they were typed. Untrusted: every byte of output.
 */
import { ask, attempt } from "./asking.js";
import { byId } from "./elements.js";
import { Terminal } from "./vendor/xterm.js";

const size = { cols: 80, rows: 24 };

const dark = matchMedia("(prefers-color-scheme: dark)");
const themeOf = (isDark: boolean): Record<string, string> =>
  isDark
    ? {
        background: "#11151c",
        foreground: "#e6e9ef",
        cursor: "#e6e9ef",
        selectionBackground: "#3b4a66",
      }
    : {
        background: "#ffffff",
        foreground: "#1c2230",
        cursor: "#1c2230",
        selectionBackground: "#b8cdf5",
      };

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

export class TerminalPane {
  readonly #host = byId("terminal", HTMLElement);
  readonly #state = byId("terminal-state", HTMLElement);
  readonly #opener = byId("open-terminal", HTMLButtonElement);
  readonly #closer = byId("close-terminal", HTMLButtonElement);
  #terminal: Terminal | undefined;
  /** Whoever opened it here is about to type. */
  #takesFocus = false;
  #isOpen = false;
  #live = false;
  #typed = "";
  #isSending = false;

  constructor() {
    this.#opener.addEventListener("click", () => this.open());
    this.#closer.addEventListener("click", () => {
      if (this.#isOpen) attempt(async () => void (await ask("closeTerminal", {})));
    });
    dark.addEventListener("change", ({ matches }) => {
      if (this.#terminal !== undefined) this.#terminal.options.theme = themeOf(matches);
    });
  }

  open(): void {
    if (this.#isOpen) return;
    this.#takesFocus = true;
    attempt(async () => void (await ask("openTerminal", size)));
  }

  #make(): Terminal {
    const terminal = new Terminal({
      ...size,
      fontFamily: "ui-monospace, monospace",
      fontSize: 14,
      minimumContrastRatio: 4.5,
      screenReaderMode: true,
      scrollback: 2000,
      theme: themeOf(dark.matches),
      // Where a link leads is the program's choice, so none leads anywhere.
      linkHandler: { activate: () => {}, allowNonHttpProtocols: false },
      windowOptions: {},
    });
    terminal.open(this.#host);
    terminal.onData((text) => this.#type(text));
    terminal.attachCustomKeyEventHandler((event) => {
      // Tab is the shell's: another key has to lead out.
      if (event.key !== "F6") return true;
      if (event.type === "keydown") byId("tab-terminal", HTMLElement).focus();
      return false;
    });
    return terminal;
  }

  #type(text: string): void {
    if (!this.#isOpen || !this.#live) return;
    this.#typed += text;
    if (!this.#isSending) void this.#send();
  }

  /** One request at a time: two could overtake each other. */
  async #send(): Promise<void> {
    this.#isSending = true;
    while (this.#typed !== "") {
      const text = this.#typed;
      this.#typed = "";
      await ask("type", { text }).catch(() => undefined);
    }
    this.#isSending = false;
  }

  machine(): void {
    this.#terminal?.dispose();
    this.#terminal = undefined;
    this.#say(false, "No terminal is open.");
  }

  opened(): void {
    this.#terminal ??= this.#make();
    this.#terminal.reset();
    this.#say(true, "A terminal is open. F6 leads out of it.");
    if (this.#takesFocus) this.#terminal.focus();
    this.#takesFocus = false;
  }

  write(base64: string): void {
    this.#terminal?.write(bytesOf(base64));
  }

  /** What comes until `live` had happened before. */
  catchUp(): void {
    this.#live = false;
  }

  /** What comes from now on happens now. */
  live(): void {
    if (this.#terminal === undefined) this.#live = true;
    else this.#terminal.write("", () => (this.#live = true));
  }

  closed(exitCode: number): void {
    this.#say(false, `The terminal ended with exit code ${exitCode}.`);
  }

  #say(isOpen: boolean, text: string): void {
    this.#isOpen = isOpen;
    this.#state.textContent = text;
    // Not `disabled`: whoever has the focus there would lose it.
    this.#opener.setAttribute("aria-disabled", String(isOpen));
    this.#closer.setAttribute("aria-disabled", String(!isOpen));
  }
}
