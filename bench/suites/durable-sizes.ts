import type { Runtime } from 'holdfast';
import { compared, spawned } from '../lib/compared.ts';
import type { Results } from '../lib/results.ts';

const BYTES = 64 * 1024;

const pairs = {
  'asks, 16 in flight': ['ask', 16, 4000, 0.25],
  'asks, 64 in flight': ['ask', 64, 8000, 0.45],
  'asks that only read, 64 in flight': ['read', 64, 20_000, 0.9],
  'deliver, 1024 in flight, 64 instances': ['deliver', 1024, 20_000, 0.55],
} as const;

/** An account has one long text, which no turn changes; a register has small fields, of which each turn changes one. */
const kinds = { account: ['a text', 1], register: ['small fields', 4] } as const;

/** The same with states of 64 KiB. */
export async function ofSize(results: Results, rounds: number, kept: Runtime, fresh: Runtime): Promise<void> {
  const input = { bytes: BYTES };
  for (const [agent, [of, fewer]] of Object.entries(kinds)) {
    const [large, plain] = [await spawned(kept, agent, 64, input), await spawned(fresh, agent, 64, input)];
    for (const [what, [call, inFlight, n, atLeast]] of Object.entries(pairs)) {
      await compared(results, rounds, [large, plain, call, inFlight, n / fewer], {
        what: `${what}, 64 KiB of ${of}`,
        title: `states of 64 KiB of ${of}: ${what}`,
        atLeast,
      });
    }
  }
}
