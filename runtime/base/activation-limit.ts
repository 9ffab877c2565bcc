/** What was started by sending to it, by who sent. */
export type ActivatedBy = readonly (readonly [who: string, addresses: readonly string[]])[];

/** Counts the instances that somebody has started by sending to them and that are there: so many at a time at most. */
export class ActivationLimit {
  readonly #isThere: (address: string) => boolean;
  /** What each has started and is there, or was when somebody last looked. */
  readonly #started: Map<string, Set<string>>;
  readonly #starting = new Set<string>();

  constructor(isThere: (address: string) => boolean, handed: ActivatedBy = []) {
    this.#isThere = (address) => this.#starting.has(address) || isThere(address);
    this.#started = new Map(handed.map(([who, addresses]) => [who, new Set(addresses)]));
  }

  /** Starts one for somebody. What is there, or is started by somebody else just now, costs nothing. */
  async start<T>(
    who: string,
    address: string,
    most: number,
    start: () => Promise<T>,
    tooMany: (count: number) => Error,
  ): Promise<T> {
    if (this.#isThere(address)) return start();
    const started = this.#of(who, most, tooMany);
    started.add(address);
    this.#starting.add(address);
    try {
      return await start();
    } finally {
      this.#starting.delete(address);
      if (!this.#isThere(address)) started.delete(address);
    }
  }

  all(): ActivatedBy {
    return Array.from(this.#started, ([who, addresses]) => [who, [...addresses]] as const);
  }

  /** With room for one more. */
  #of(who: string, most: number, tooMany: (count: number) => Error): Set<string> {
    let started = this.#started.get(who);
    if (started === undefined) this.#started.set(who, (started = new Set()));
    if (started.size < most) return started;
    for (const address of started) if (!this.#isThere(address)) started.delete(address);
    if (started.size < most) return started;
    throw tooMany(started.size);
  }
}
