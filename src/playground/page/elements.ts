/**
 * Owns how the page makes and finds elements. Text becomes text nodes here and nowhere markup.
 * Untrusted: the texts.
 */

/** The element of the page with that id, which is of that kind. */
export function byId<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new TypeError(`#${id} is not of the page`);
  return found;
}

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<Record<"className" | "title" | "type" | "id", string>>,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** A button that does something. */
export function button(label: string, act: () => void, name = label): HTMLButtonElement {
  const made = element("button", { type: "button" }, label);
  if (name !== label) made.setAttribute("aria-label", name);
  made.addEventListener("click", act);
  return made;
}
