import fc from 'fast-check';
import type { Manner } from '../agents/correspondent.ts';

export const POOLS = ['a', 'b'] as const;
export const SENDERS = 4;

export interface Posting {
  readonly do: 'send' | 'deliver' | 'ask';
  readonly from: number;
  readonly to: number;
  readonly times: number;
  readonly manner: Manner;
  readonly timeoutMs: number;
}

/** `to` counts the instances round. */
export type Step =
  | Posting
  | { readonly do: 'stop' | 'catch up with'; readonly to: number }
  | { readonly do: 'spawn'; readonly pool: (typeof POOLS)[number] };

export interface Plan {
  readonly threads: number;
  readonly capacity: number;
  readonly overflow: 'reject' | 'drop-oldest' | 'drop-newest';
  readonly steps: readonly Step[];
}

const to = fc.nat({ max: 7 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({
      do: fc.constantFrom('send', 'deliver', 'ask'),
      from: fc.nat({ max: SENDERS - 1 }),
      to,
      times: fc.integer({ min: 1, max: 40 }),
      manner: fc.constantFrom('note', 'note', 'slow'),
      timeoutMs: fc.constantFrom(5, 30_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('send', 'deliver', 'ask'),
      from: fc.nat({ max: SENDERS - 1 }),
      to,
      times: fc.constant(1),
      manner: fc.constantFrom('exit', 'uncaught', 'fail'),
      timeoutMs: fc.constant(30_000),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('catch up with'), to }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stop'), to }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('spawn'), pool: fc.constantFrom(...POOLS) }) },
);

export const plan: fc.Arbitrary<Plan> = fc
  .record({
    hurried: fc.boolean(),
    threads: fc.integer({ min: 1, max: 2 }),
    capacity: fc.constantFrom(3, 40, 1000),
    overflow: fc.constantFrom('reject', 'drop-oldest', 'drop-newest'),
    steps: fc.array(step, { minLength: 5, maxLength: 40 }),
  })
  .map(({ hurried, threads, capacity, overflow, steps }) => ({
    threads,
    capacity,
    overflow,
    steps: steps.map((step) => tempered(step, hurried)),
  }));

/** Deadlines are short, or long enough to play no part. */
function tempered(step: Step, hurried: boolean): Step {
  return !('manner' in step) || hurried ? step : { ...step, timeoutMs: 30_000 };
}
