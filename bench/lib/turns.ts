/** Where in a run a variant stands: which suite, which measurement of it, which round, which row. Compared in this order. */
export type Place = readonly [suite: number, measurement: number, round: number, row: number];

/** What a process of a run that compares two builds says: that it waits for its turn there, or that its turn is over. */
export type TurnMessage = { readonly turn: Place } | { readonly turn: 'over' };

let suite = -1;
let measurement = 0;

/** The places of what is measured from now on are those of the next suite. */
export function nextSuite(): void {
  suite += 1;
  measurement = 0;
}

/** The number of the next measurement of this suite. */
export function nextMeasurement(): number {
  measurement += 1;
  return measurement;
}

/** Runs what is measured; beside another build, when that one neither measures nor prepares. */
export async function inTurn<T>(at: readonly [number, number, number], run: () => Promise<T>): Promise<T> {
  if (process.env['HOLDFAST_BENCH_SIDE'] === undefined) return run();
  await granted([suite, ...at]);
  try {
    return await run();
  } finally {
    process.send?.({ turn: 'over' } satisfies TurnMessage);
  }
}

function granted(turn: Place): Promise<void> {
  return new Promise((resolve) => {
    process.once('message', () => resolve());
    process.send?.({ turn } satisfies TurnMessage);
  });
}
