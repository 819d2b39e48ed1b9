/** Listeners of one object: a listener that throws harms neither the next one nor whoever emits. */

export type On<Events> = <Name extends keyof Events>(
  event: Name,
  listener: (event: Events[Name]) => void,
  options?: { signal?: AbortSignal },
) => () => void;

export class Listeners<Events> {
  #by = new Map<keyof Events, Set<{ run: (event: any) => void }>>();

  /** Returns a disposer. The same function twice is two listeners. */
  on: On<Events> = (event, listener, { signal } = {}) => {
    if (typeof listener !== "function") {
      throw new TypeError(`rejoin: the listener of "${String(event)}" must be a function`);
    }
    const entry = { run: listener };
    const all = this.#by.get(event) ?? new Set();
    this.#by.set(event, all);
    const dispose = () => {
      all.delete(entry);
      signal?.removeEventListener("abort", dispose);
    };
    if (!signal?.aborted) {
      all.add(entry);
      signal?.addEventListener("abort", dispose);
    }
    return dispose;
  };

  /** @internal */
  _emit<Name extends keyof Events>(event: Name, value: Events[Name]): void {
    const all = this.#by.get(event);
    for (const entry of [...(all ?? [])]) {
      try {
        if (all!.has(entry)) entry.run(value); // a listener before may have disposed of it
      } catch (error) {
        console.error("rejoin: a listener threw", error);
      }
    }
  }
}
