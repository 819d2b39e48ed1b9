// Where a message is written: Enter sends, Shift+Enter starts a new line.
import { find } from "../page.ts";

export class Composer {
  #form = find<HTMLFormElement>("composer");
  #field = find<HTMLTextAreaElement>("text");

  constructor(send: (text: string) => void) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#field.value.trim();
      if (!text) return;
      this.#field.value = "";
      this.#fit();
      send(text);
    });
    this.#field.addEventListener("keydown", (event) => {
      // While a word is being composed (Japanese, Chinese, …) Enter chooses it.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
    this.#field.addEventListener("input", () => this.#fit());
  }

  /** On a touch screen focus would open the keyboard over half the page. */
  focus(): void {
    if (matchMedia("(pointer: fine)").matches) this.#field.focus();
  }

  #fit(): void {
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight + 2}px`;
  }
}
