import { isSelected } from './selection.ts';
import { inTurn, nextMeasurement } from './turns.ts';

/** What one run of a variant gave: its figure, and whatever else was seen on the way. */
export interface Sample {
  readonly value: number;
  /** Processor time of this process, with all its threads, for one operation, in µs. */
  readonly cpu?: number | undefined;
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
  /** Processor time for one operation, in µs, in the order of the rounds; empty where it was not measured. */
  readonly cpu: readonly number[];
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
  const cpu = samples.flatMap(({ cpu }) => (cpu === undefined ? [] : [cpu]));
  const [min, max] = [Math.min(...rounds), Math.max(...rounds)];
  return { name, median: median(rounds), min, max, rounds, cpu, also };
}

/** Measures from now on; what it gives ends that, and has the operations a second and the processor time of one. */
export function stopwatch(): (operations: number) => { readonly value: number; readonly cpu: number } {
  const cpu = process.cpuUsage();
  const began = performance.now();
  return (operations) => {
    const took = performance.now() - began;
    const { user, system } = process.cpuUsage(cpu);
    return { value: (operations * 1000) / took, cpu: (user + system) / operations };
  };
}

/**
 * Side by side: everything in turn, as often as there are rounds, so that a drift of the machine hits all alike.
 * Rounds before the first warm up and are thrown away: one, unless it says how many.
 */
export async function measure(
  variants: Readonly<Record<string, Variant>>,
  rounds: number,
  { warmUp = 1 } = {},
): Promise<Row[]> {
  const all = await byTurns(variants, rounds, { warmUp });
  return Object.entries(all).map(([name, samples]) =>
    rowOf(
      name,
      samples.map((one) => (typeof one === 'number' ? { value: one } : one)),
    ),
  );
}

/** As `measure`, for runs that give more than a figure: what each gave, in the order of the rounds. */
export async function byTurns<T>(
  runs: Readonly<Record<string, () => Promise<T>>>,
  rounds: number,
  { warmUp = 1 } = {},
): Promise<Record<string, T[]>> {
  const measurement = nextMeasurement();
  const found: Record<string, T[]> = {};
  for (let round = -warmUp; round < rounds; round++) {
    for (const [row, [name, run]] of Object.entries(runs).entries()) {
      if (!isSelected(name)) continue;
      const one = await inTurn([measurement, round, row], () => {
        (globalThis as { gc?: () => void }).gc?.();
        return run();
      });
      if (round >= 0) (found[name] ??= []).push(one);
    }
  }
  return found;
}

/**
 * How `row` does against `base`, round by round: the median of the ratios. The machine changes its speed between
 * rounds, but hardly within one.
 */
export function ratio(row: Pick<Row, 'rounds'>, base: Pick<Row, 'rounds'>): number {
  return median(row.rounds.map((value, round) => value / (base.rounds[round] as number)));
}

/** As `ratio`, of the processor time; not a number where one of them has none. */
export function cpuRatio(row: Row, base: Row): number {
  return ratio({ rounds: row.cpu }, { rounds: base.cpu });
}
