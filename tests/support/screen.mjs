// A terminal's screen as somebody would see it, by xterm's own emulator.
import xterm from "@xterm/headless";

export class Screen {
  #terminal;
  #waiting = new Set();

  constructor(cols, rows) {
    this.#terminal = new xterm.Terminal({ cols, rows, allowProposedApi: true, scrollback: 5000 });
  }

  write(chunk) {
    this.#terminal.write(new Uint8Array(chunk), () => {
      for (const look of this.#waiting) look();
    });
  }

  resize(cols, rows) {
    this.#terminal.resize(cols, rows);
  }

  /** What answers of the terminal itself (cursor reports) would be sent to the program. */
  onReply(listener) {
    this.#terminal.onData(listener);
  }

  get #text() {
    const { active } = this.#terminal.buffer;
    const lines = [];
    for (let at = 0; at < active.length; at++) {
      const line = active.getLine(at);
      const text = line.translateToString(true);
      if (line.isWrapped) lines.push(lines.pop() + text);
      else lines.push(text);
    }
    return lines;
  }

  /** With empty lines down to the cursor. */
  get #toCursor() {
    const { active } = this.#terminal.buffer;
    const lines = this.#text;
    const below = active.length - 1 - (active.baseY + active.cursorY);
    for (let at = 0; at < below && lines.at(-1) === ""; at++) lines.pop();
    return lines.join("\n");
  }

  /** The lines of the screen and what has scrolled off it, once all that came is shown. */
  lines() {
    return new Promise((resolve) =>
      this.#terminal.write("", () => {
        const lines = this.#text;
        while (lines.at(-1) === "") lines.pop();
        resolve(lines);
      }),
    );
  }

  /** Only what is on the screen now. */
  async visible() {
    await this.lines();
    const { active } = this.#terminal.buffer;
    return Array.from({ length: this.#terminal.rows }, (_, at) =>
      active.getLine(active.baseY + at).translateToString(true),
    );
  }

  /** The first line on the screen. */
  get visibleTop() {
    const { active } = this.#terminal.buffer;
    return active.getLine(active.baseY).translateToString(true);
  }

  get cursor() {
    const { cursorX, cursorY } = this.#terminal.buffer.active;
    return [cursorX, cursorY];
  }

  /** Resolves once the screen shows a text, or satisfies a pattern or function. */
  until(wanted) {
    const there = () => {
      const text = this.#toCursor;
      if (typeof wanted === "function") return wanted(text, this);
      return typeof wanted === "string" ? text.includes(wanted) : wanted.test(text);
    };
    return new Promise((resolve, reject) => {
      let timer;
      const look = () => {
        if (!there()) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(undefined);
      };
      // A wait that nothing ends would not say what it waited for.
      timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`no ${String(wanted)} on the screen:\n${this.#toCursor}`));
      }, 20_000);
      this.#waiting.add(look);
      look();
    });
  }
}
