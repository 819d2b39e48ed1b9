// What the pages share: the address of their own server, and short ways to the DOM. Text only ever goes in as text.

/** The WebSocket address at the server that sent this page. */
export function socketUrl(): string {
  const url = new URL("/ws", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** The element of that id, which the page's HTML has. */
export function find<T extends Element = HTMLElement>(id: string): T & { dataset: DOMStringMap } {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element as unknown as T & { dataset: DOMStringMap };
}

/** A new element with a class and its contents; strings become text nodes, never markup. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = "",
  ...contents: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...contents);
  return element;
}

/** What a storage holds for this page. Storage is refused to some pages (private windows, blocked cookies), which is no reason to fail. */
export function recall(storage: "localStorage" | "sessionStorage", key: string): string | null {
  try { return window[storage].getItem(key); } catch { return null; }
}

/** Keeps a value for `recall`, where that is allowed. */
export function keep(storage: "localStorage" | "sessionStorage", key: string, value: string): void {
  try { window[storage].setItem(key, value); } catch { /* asked again next time */ }
}
