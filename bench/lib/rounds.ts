/** What one run of a variant gave: its figure, and whatever else was seen on the way. */
export interface Sample {
  readonly value: number;
  readonly also?: Readonly<Record<string, number>>;
}

/** Verifies its own completion, and throws when something is missing. */
export type Variant = () => Promise<Sample | number>;

export interface Row {
  readonly name: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** In the order of the rounds. */
  readonly rounds: readonly number[];
  /** Medians over the rounds. */
  readonly also: Readonly<Record<string, number>>;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[half] as number)
    : ((sorted[half - 1] as number) + (sorted[half] as number)) / 2;
}

export function percentile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
}

export function rowOf(name: string, samples: readonly Sample[]): Row {
  const rounds = samples.map(({ value }) => value);
  const also = Object.fromEntries(
    Object.keys(samples[0]?.also ?? {}).map((key) => [
      key,
      median(samples.map((sample) => sample.also?.[key] as number)),
    ]),
  );
  return { name, median: median(rounds), min: Math.min(...rounds), max: Math.max(...rounds), rounds, also };
}

/**
 * Side by side: everything in turn, as often as there are rounds, so that a drift of the machine hits all alike.
 * A round before the first warms up and is thrown away.
 */
export async function measure(
  variants: Readonly<Record<string, Variant>>,
  rounds: number,
  { warmUp = true } = {},
): Promise<Row[]> {
  const samples = new Map<string, Sample[]>(Object.keys(variants).map((name) => [name, []]));
  for (let round = warmUp ? -1 : 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(variants)) {
      (globalThis as { gc?: () => void }).gc?.();
      const result = await run();
      if (round >= 0) samples.get(name)?.push(typeof result === 'number' ? { value: result } : result);
    }
  }
  return [...samples].map(([name, list]) => rowOf(name, list));
}

/**
 * How `row` does against `base`, round by round: the median of the ratios. The machine changes its speed between
 * rounds, but hardly within one.
 */
export function ratio(row: Row, base: Row): number {
  return median(row.rounds.map((value, round) => value / (base.rounds[round] as number)));
}
