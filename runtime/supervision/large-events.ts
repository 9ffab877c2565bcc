import { TYPE_LENGTH } from '../base/type-length.ts';

/** The most warnings of large events in the life of a runtime. */
const MAX_WARNINGS = 1000;

/** Warns of events that are larger than their agent's `mailbox.warnBytes`: once for each type, since more of it will come. */
export class LargeEvents {
  readonly #warn: (fields: object, message: string) => void;
  readonly #known = new Set<string>();

  constructor(warn: (fields: object, message: string) => void) {
    this.#warn = warn;
  }

  seen(
    agent: { readonly name: string; readonly warnBytes: number },
    address: string,
    event: object,
    bytes: number,
  ): void {
    const type = String((event as { type?: unknown }).type).slice(0, TYPE_LENGTH);
    const key = `${agent.name} ${type}`;
    if (this.#known.has(key) || this.#known.size >= MAX_WARNINGS) return;
    this.#known.add(key);
    this.#warn(
      { address, type, bytes },
      `an event is larger than mailbox.warnBytes (${agent.warnBytes}); send a reference to the data instead`,
    );
  }
}
