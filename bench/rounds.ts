/** One side-by-side measurement: everything in turn, as often as there are rounds, so that drift hits all alike. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** In the order of the rounds. */
  readonly rates: readonly number[];
}

/** A variant verifies its own completion and returns a rate. */
export type Variant = () => Promise<number>;

const median = (sorted: readonly number[]): number => {
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[half] as number)
    : ((sorted[half - 1] as number) + (sorted[half] as number)) / 2;
};

export async function measure(
  variants: Readonly<Record<string, Variant>>,
  rounds: number,
  unit: string,
): Promise<Row[]> {
  const results = new Map<string, number[]>(Object.keys(variants).map((name) => [name, []]));
  // The first round warms up and is thrown away.
  for (let round = -1; round < rounds; round++) {
    for (const [name, run] of Object.entries(variants)) {
      (globalThis as { gc?: () => void }).gc?.();
      const rate = await run();
      if (round >= 0) results.get(name)?.push(rate);
    }
  }
  return [...results].map(([name, rates]) => {
    const sorted = rates.toSorted((a, b) => a - b);
    return {
      name,
      unit,
      median: median(sorted),
      min: sorted[0] as number,
      max: sorted.at(-1) as number,
      rates,
    };
  });
}

/**
 * How `row` does against `base`, round by round: the median of the ratios. The machine changes its speed between
 * rounds, but hardly within one.
 */
export function ratio(row: Row, base: Row): number {
  const ratios = row.rates.map((rate, round) => rate / (base.rates[round] as number));
  return median(ratios.toSorted((a, b) => a - b));
}

export function print(rows: readonly Row[], baseline: string): void {
  const base = rows.find(({ name }) => name === baseline) as Row;
  const format = (value: number): string =>
    value >= 1e6 ? `${(value / 1e6).toFixed(2)}M` : `${(value / 1e3).toFixed(1)}k`;
  for (const row of rows) {
    const { name, unit, median, min, max } = row;
    const spread = `${format(min)} - ${format(max)}`;
    const beside = `${ratio(row, base).toFixed(2)}x`;
    console.log(
      `  ${name.padEnd(44)} ${format(median).padStart(8)} ${unit}   ${spread.padStart(17)}   ${beside}`,
    );
  }
}
