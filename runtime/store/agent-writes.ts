/** What the instances of an agent have written into the store. */
export interface AgentWrites {
  readonly agent: string;
  /** The commits of a state so far. */
  readonly commits: number;
  /** The bytes of those states that had to be written. */
  readonly bytes: number;
  /**
   * Commits in a second, and their bytes, between the last two readings of the status that were at least a second apart;
   * absent in the first second.
   */
  readonly commitsPerSecond?: number;
  readonly bytesPerSecond?: number;
  /** Whether one of them was seen to commit more than 64 KiB of a state more than 20 times a second. */
  readonly heavy: boolean;
}

/** Bytes of a state from which on it is heavy to write often, and how often in a second that is. */
const HEAVY_BYTES = 64 * 1024;
const HEAVY_PER_SECOND = 20;
/** The commits over which that is measured. */
const MEASURED = 100;
/** Milliseconds between two readings that a rate is taken from. */
const READING_MS = 1000;

interface Counts {
  commits: number;
  bytes: number;
  heavy: boolean;
  /** At the reading before. */
  before: { readonly commits: number; readonly bytes: number };
  rates: Pick<AgentWrites, 'commitsPerSecond' | 'bytesPerSecond'> | undefined;
}

export interface WriteCountsOptions {
  readonly now: () => number;
  /** Called once for an agent, when an instance of it is heavy. */
  readonly heavy: (address: string, bytes: number) => void;
}

/** Counts what is written, by agent. */
export class WriteCounts {
  readonly #options: WriteCountsOptions;
  readonly #counts = new Map<string, Counts>();
  #readAt: number;

  constructor(options: WriteCountsOptions) {
    this.#options = options;
    this.#readAt = options.now();
  }

  /** Returns a function that counts a commit of that instance, with the bytes of its state. */
  of(agent: string, address: string): (bytes: number) => void {
    const counts = this.#counts.get(agent) ?? begun();
    this.#counts.set(agent, counts);
    let large = 0;
    let since = 0;
    return (bytes) => {
      counts.commits += 1;
      counts.bytes += bytes;
      if (bytes <= HEAVY_BYTES || counts.heavy) return;
      const now = large === 0 || large === MEASURED ? this.#options.now() : 0;
      if (large === 0) since = now;
      if (large++ < MEASURED) return;
      counts.heavy = now - since < (MEASURED / HEAVY_PER_SECOND) * 1000;
      large = 0;
      if (counts.heavy) this.#options.heavy(address, bytes);
    };
  }

  /** The agents that have written something. */
  read(): AgentWrites[] {
    const elapsed = this.#options.now() - this.#readAt;
    if (elapsed >= READING_MS) {
      this.#readAt += elapsed;
      for (const counts of this.#counts.values()) {
        const { commits, bytes, before } = counts;
        const perSecond = (count: number): number => Math.round((count / elapsed) * 10_000) / 10;
        counts.rates = {
          commitsPerSecond: perSecond(commits - before.commits),
          bytesPerSecond: Math.round(perSecond(bytes - before.bytes)),
        };
        counts.before = { commits, bytes };
      }
    }
    return [...this.#counts]
      .filter(([, { commits }]) => commits > 0)
      .map(([agent, { commits, bytes, rates, heavy }]) =>
        Object.assign({ agent, commits, bytes, heavy }, rates),
      );
  }
}

function begun(): Counts {
  return { commits: 0, bytes: 0, heavy: false, before: { commits: 0, bytes: 0 }, rates: undefined };
}
