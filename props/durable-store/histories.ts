import fc from 'fast-check';
import type {
  CommitGroup,
  EncodedState,
  StoredRecord,
  TurnCommit,
} from '../../runtime/store/durable-store.ts';

export const ADDRESSES = ['a/\u{1F512}', 'a/1', 'a/\uFF5E'] as const;
export const CALLERS = ['host', 'token'] as const;
export const IDS = ['x', 'y'] as const;
export const LETTERS = ['l1', 'l2', 'l3'] as const;
const STARTS = ['p#1', 'p#2'] as const;

const address = fc.constantFrom(...ADDRESSES);
/** Of a row, from the first of the history on. */
const place = fc.nat(9);
const time = fc.nat(20);
const value: fc.Arbitrary<EncodedState> = fc.oneof(
  fc.json({ maxDepth: 1 }),
  fc.uint8Array({ maxLength: 20 }),
  fc.constant('"\u0000ü\u{1F512}"'),
);

const row = fc.record({
  n: place,
  to: fc.oneof({ weight: 8, arbitrary: address }, { weight: 1, arbitrary: fc.constant('a/nobody' as const) }),
  from: fc.option(address, { nil: undefined }),
  event: value,
  dueAt: fc.oneof(fc.constant(0), time),
  id: fc.option(fc.constantFrom(...IDS), { nil: undefined }),
  caller: fc.option(fc.constantFrom(...CALLERS), { nil: undefined }),
  attempts: fc.nat(3),
});
const keptId = fc.record({
  address,
  caller: fc.constantFrom(...CALLERS),
  id: fc.constantFrom(...IDS),
  hash: fc.constantFrom('h', 'i'),
  outcome: fc.constantFrom('open', 'done', 'failed', 'unkept'),
  value: fc.option(value, { nil: undefined }),
  until: time,
});
const step = fc.record({ start: fc.constantFrom(...STARTS), key: fc.constantFrom('k', 'l'), value });
const letter = fc.record({
  id: fc.constantFrom(...LETTERS),
  address,
  reason: fc.constantFrom('crashed', 'poison'),
  event: value,
  meta: fc.json({ maxDepth: 1 }),
  at: time,
});
const few = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(one, { maxLength: 2 });

const turn = fc.record({
  address,
  kind: fc.constantFrom('state', 'state', 'state', 'quiet', 'end', 'anew'),
  /** Whether it follows what is stored, as it does but for a few. */
  isRight: fc.oneof(
    { weight: 9, arbitrary: fc.constant(true) },
    { weight: 1, arbitrary: fc.constant(false) },
  ),
  incarnation: fc.nat(3),
  seq: fc.nat(),
  version: fc.option(fc.constantFrom('', '1'), { nil: undefined }),
  state: value,
  meta: fc.json({ maxDepth: 1 }),
  dueAt: fc.option(time, { nil: undefined }),
  wakes: fc.boolean(),
  quarantined: fc.oneof(
    { weight: 4, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
  handled: few(place),
  sends: few(row),
  ids: few(keptId),
  steps: few(step),
  endedStarts: few(fc.constantFrom(...STARTS)),
  letters: few(letter),
});

const commit = fc.record({
  do: fc.constant('commit' as const),
  at: time,
  turns: fc.uniqueArray(turn, { maxLength: 3, selector: ({ address: of }) => of }),
  rows: few(row),
  letters: few(letter),
  removedLetters: few(fc.constantFrom(...LETTERS, 'none')),
  ids: few(keptId),
  attempts: few(fc.tuple(place, fc.nat(5))),
});

const command = fc.oneof(
  { weight: 60, arbitrary: commit },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('again' as const) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('tidy' as const), now: time, before: time }) },
  // A thread takes as long to start as a hundred commits.
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const), killed: fc.boolean() }) },
);

export type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

export const history = fc.array(command, { minLength: 1, maxLength: 12 });

/** The group of a command, over what is stored; rows have numbers from `firstRow` on. */
export function groupOf(
  given: Extract<Command, { do: 'commit' }>,
  stored: ReadonlyMap<string, StoredRecord>,
  id: string,
  firstRow: number,
): CommitGroup {
  const { at, turns, rows, letters, removedLetters, ids, attempts } = given;
  const numbered = <T extends { n: number }>(all: readonly T[]): T[] =>
    all.map((one) => ({ ...one, n: firstRow + one.n }));
  return {
    id,
    at,
    turns: turns.flatMap((one): TurnCommit[] => {
      const {
        kind,
        isRight,
        handled,
        sends,
        ids: kept,
        steps,
        endedStarts,
        letters: left,
        address: of,
        ...rest
      } = one;
      const after = isRight ? stored.get(of)?.commit : 'another';
      const record = { address: of, ...rest };
      const effects = {
        handled: handled.map((n) => firstRow + n),
        sends: numbered(sends),
        ids: kept,
        steps,
        endedStarts,
        letters: left,
      };
      if (kind === 'end') return [{ address: of, after, end: true, ...effects }];
      if (kind === 'anew' && after !== undefined)
        return [
          { address: of, after, end: true, ...effects },
          { address: of, after: undefined, record },
        ];
      return [{ address: of, after, ...(kind !== 'quiet' && { record }), ...effects }];
    }),
    rows: numbered(rows),
    letters,
    removedLetters,
    ids,
    attempts: attempts.map(([n, count]) => [firstRow + n, count]),
  };
}
