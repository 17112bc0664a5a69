/**
 * Owns the view of the machine's files: a directory at a time, and one file to read and write.
 * Untrusted: names and content; a name is text, and a path in a request, never a part of the page's address.
 */
import { ask, attempt, notify } from "./asking.js";
import { byId, button, element } from "./elements.js";
import { sizeText, visibleLine } from "./text.js";

const joined = (folder: string, name: string): string =>
  folder === "/" ? `/${name}` : `${folder}/${name}`;
const parentOf = (path: string): string => path.replace(/\/[^/]*$/, "") || "/";

export class Files {
  readonly #path = byId("path", HTMLInputElement);
  readonly #list = byId("files", HTMLElement);
  readonly #more = byId("files-more", HTMLElement);
  readonly #form = byId("file-form", HTMLElement);
  readonly #name = byId("file-name", HTMLElement);
  readonly #text = byId("file-text", HTMLTextAreaElement);
  #folder = "/";
  #open: string | undefined;

  constructor() {
    byId("folder-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.show(this.#path.value);
    });
    byId("new-file", HTMLButtonElement).addEventListener("click", () => {
      // A name that ends with a slash, or none, is no file's.
      const name = byId("new-name", HTMLInputElement).value;
      if (name === "" || name.endsWith("/")) return notify("A new file needs a name.");
      this.#edit(joined(this.#folder, name), "");
    });
    byId("save-file", HTMLButtonElement).addEventListener("click", () => this.#save());
  }

  show(path: string): void {
    attempt(async () => {
      const folder = path.startsWith("/") ? path : `/${path}`;
      const { entries, more } = await ask("list", { path: folder });
      this.#folder = folder;
      this.#path.value = folder;
      const focused = this.#list.contains(document.activeElement)
        ? document.activeElement?.textContent
        : undefined;
      const up = folder === "/" ? [] : [this.#row("..", "directory", parentOf(folder))];
      this.#list.replaceChildren(
        ...up,
        ...entries.map(({ name, type }) => this.#row(name, type, joined(folder, name))),
      );
      if (typeof focused === "string") this.#focus(focused);
      this.#more.textContent = more > 0 ? `${more} more are not shown` : "";
    });
  }

  refresh(): void {
    this.show(this.#folder);
  }

  /** Of a list that was drawn anew: the button of that text, or where the list is asked for. */
  #focus(text: string): void {
    const same = [...this.#list.querySelectorAll("button")].filter(
      ({ textContent }) => textContent === text,
    );
    (same.length === 1 ? same[0]! : this.#path).focus();
  }

  #row(name: string, type: string, path: string): HTMLElement {
    const shown = visibleLine(name);
    const isFolder = type === "directory";
    const open = button(isFolder ? `${shown}/` : shown, () => {
      if (isFolder) this.show(path);
      else this.#read(path);
    });
    const row = element("li", {}, open);
    if (type === "file") {
      row.append(button("Delete", () => this.#remove(path), `Delete ${shown}`));
    }
    return row;
  }

  #read(path: string): void {
    attempt(async () => {
      const { text, bytes, isText } = await ask("read", { path });
      if (isText) this.#edit(path, text);
      else notify(`${visibleLine(path)} has ${sizeText(bytes)} that are not shown as text.`);
    });
  }

  #edit(path: string, text: string): void {
    this.#open = path;
    this.#name.textContent = visibleLine(path);
    this.#text.value = text;
    this.#form.hidden = false;
    this.#text.focus();
  }

  #save(): void {
    const path = this.#open;
    if (path === undefined) return;
    attempt(async () => {
      await ask("write", { path, text: this.#text.value });
      notify(`${visibleLine(path)} is written.`);
      this.refresh();
    });
  }

  #remove(path: string): void {
    attempt(async () => {
      await ask("remove", { path });
      notify(`${visibleLine(path)} is gone.`);
      this.refresh();
    });
  }

  clear(cwd: string): void {
    this.#folder = cwd;
    this.#form.hidden = true;
    this.#open = undefined;
  }
}
