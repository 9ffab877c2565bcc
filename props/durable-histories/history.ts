import fc from 'fast-check';

export const CLERKS = ['a', 'b', 'c'] as const;
export type Clerk = (typeof CLERKS)[number];
/** The one that is stopped and spawned again. */
export const STOPPED: Clerk = 'c';

export type Step =
  | {
      readonly do: 'send' | 'ask' | 'deliver' | 'enqueue';
      readonly to: Clerk;
      readonly what: 'note' | 'pass' | 'arm' | 'fail';
      readonly other: Clerk;
      readonly times: number;
    }
  | { readonly do: 'later'; readonly to: Clerk; readonly ms: number }
  | { readonly do: 'read'; readonly to: Clerk }
  | { readonly do: 'turns'; readonly n: number }
  | { readonly do: 'settle' | 'stop' | 'restart' | 'redeploy' }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'fail commit'; readonly at: 'before' | 'within' | 'after'; readonly kill: boolean }
  | { readonly do: 'kill thread'; readonly of: Clerk };

export interface History {
  readonly seed: number;
  readonly threads: number;
  readonly capacity: number;
  /** After how long a clerk leaves memory; 0: never. */
  readonly passivateAfterMs: number;
  readonly steps: readonly Step[];
}

const clerk = fc.constantFrom(...CLERKS);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constantFrom('send', 'ask', 'deliver', 'enqueue', 'enqueue'),
      to: clerk,
      what: fc.constantFrom('note', 'note', 'pass', 'pass', 'arm', 'fail'),
      other: clerk,
      times: fc.integer({ min: 1, max: 6 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('later'), to: clerk, ms: fc.constantFrom(1, 700, 9000) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('read'), to: clerk }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('turns'), n: fc.integer({ min: 0, max: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('settle', 'settle', 'stop', 'redeploy') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('restart') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.constantFrom(1, 300, 1000, 6000) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('fail commit'),
      at: fc.constantFrom('before', 'within', 'after'),
      kill: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('kill thread'), of: clerk }) },
);

export const history: fc.Arbitrary<History> = fc.record({
  seed: fc.nat({ max: 2 ** 32 - 1 }),
  threads: fc.integer({ min: 1, max: 2 }),
  capacity: fc.constantFrom(4, 1000),
  passivateAfterMs: fc.constantFrom(0, 250),
  steps: fc.array(step, { minLength: 1, maxLength: 30 }),
});
