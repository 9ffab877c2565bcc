/** What somebody wants of a call that is under way, which may change meanwhile. */
export class Wants {
  /** Hears of each change. */
  changed: ((value: unknown) => void) | undefined;
  #value: unknown;

  constructor(value?: unknown) {
    this.#value = value;
  }

  get value(): unknown {
    return this.#value;
  }

  become(value: unknown): void {
    this.#value = value;
    this.changed?.(value);
  }
}
