import { expect, it } from 'vitest';
import { counted } from '../../actors/fixtures/counted.ts';
import { KeptIds } from './kept-ids.ts';

const names = (n: number) => ({ address: 'a/1', caller: 'c', id: `id ${n}`, hash: 'h' });
const event = '{}';

function withPutOff(many: number) {
  const ids = new KeptIds({
    address: 'a/1',
    store: { id: () => Promise.resolve(undefined) },
    clock: { date: () => 0 },
    keepIdsMs: 1_000,
    secretIn: () => undefined,
    unwait: () => {},
  });
  const { value, reads } = counted(
    Array.from({ length: many }, (_, n) => ({ ...names(n), incarnation: 1, ask: n + 1 })),
  );
  ids.loaded(value);
  return { ids, reads };
}

it('puts an ask off, and answers one, without a look at the others that were put off', () => {
  for (const many of [10, 1_000]) {
    const { ids, reads } = withPutOff(many);
    const last = ids.again({ ...names(many - 1), incarnation: 1, ask: many });
    ids.awaits(last, 1);
    ids.awaits(ids.use('c', 'one more', event), 2);
    const before = reads();
    const answers = [
      { tag: 1, outcome: 'done' },
      { tag: 2, outcome: 'put-off', ask: 7 },
    ] as const;
    expect(ids.changes(answers)).toBe(true);
    ids.told([], answers, 1);
    expect(reads() - before).toBe(0);
    expect(ids.putOff.length).toBe(many);
    expect(ids.putOff.at(-1)).toMatchObject({ id: 'one more', ask: 7 });
  }
});

it('has an ask once that two incarnations have put off', () => {
  const { ids } = withPutOff(2);
  ids.awaits(ids.again({ ...names(0), incarnation: 1, ask: 1 }), 1);
  ids.told([], [{ tag: 1, outcome: 'put-off', ask: 9 }], 2);
  expect(ids.putOff).toMatchObject([
    { id: 'id 0', incarnation: 2, ask: 9 },
    { id: 'id 1', incarnation: 1, ask: 2 },
  ]);
});
