import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { AT, group, keptId, letter, one, record, row, turn } from '../../testing/durable-store-samples.ts';
import { storeFolder } from './fixtures/filled.ts';
import { metaTable } from './meta-table.ts';
import { forgetInStore } from './store-care.ts';

const { path, open } = storeFolder();
const MB = 1024 ** 2;
const answer = 'x'.repeat(1000);

/** What the file says of its ids and letters, and what is there. */
function counted(file: string): { readonly said: unknown; readonly there: Record<string, number> } {
  const db = new DatabaseSync(file, { readOnly: true });
  const number = (sql: string): number => Object.values(db.prepare(sql).get() ?? {})[0] as number;
  const said = metaTable(db).get('kept');
  const there = {
    ids: number(
      'select total(2 * octet_length(address) + 2 * octet_length(caller) + 2 * octet_length(id) + octet_length(hash) + coalesce(octet_length(value), 0) + 80) from ids',
    ),
    letters: number(
      'select total(2 * octet_length(id) + octet_length(address) + octet_length(reason) + octet_length(meta) + octet_length(event) + 80) from letters',
    ),
  };
  db.close();
  return { said, there };
}

test('kept ids have a tenth of the bound and letters a hundredth; the oldest go, and no row and no open id ever does', async () => {
  const file = path('bounded.db');
  const store = await open({ path: file, maxBytes: 2 * MB });
  await store.commit(
    group('0', { turns: [turn({ record: record() })], ids: [keptId({ id: 'open', until: 1 })] }),
  );
  let [ids, letters] = [0, 0];
  for (let i = 1; i <= 40; i += 1) {
    const numbers = Array.from({ length: 10 }, (_, k) => i * 10 + k);
    const { dropped } = await store.commit(
      group(`${i}`, {
        at: AT + i,
        rows: numbers.map((n) => row(n)),
        ids: numbers.map((n) => keptId({ id: `${n}`, outcome: 'done', value: answer, until: AT + n })),
        letters: [letter(`l${i}`, { at: AT + i, event: answer })],
      }),
    );
    ids += dropped?.ids ?? 0;
    letters += dropped?.letters ?? 0;
    const { said, there } = counted(file);
    expect(said).toEqual(there);
    expect(there['ids']).toBeLessThanOrEqual(0.1 * 2 * MB);
    expect(there['letters']).toBeLessThanOrEqual(0.01 * 2 * MB);
  }
  expect([ids > 0, letters > 0]).toEqual([true, true]);
  const size = await store.size();
  expect(size).toMatchObject({ rows: 400, ids: 401 - ids, letters: 40 - letters });
  expect(await store.id(one, 'host', 'open')).toBeDefined();
  expect(await store.id(one, 'host', '10')).toBeUndefined();
  expect(await store.id(one, 'host', '409')).toBeDefined();
  expect((await store.letters(undefined, 100)).at(-1)?.id).toBe('l40');
  expect(store.warnings).toEqual([expect.stringContaining('before their time')]);
  // What is deleted otherwise is counted as well.
  await store.tidy(AT + 400, AT + 40);
  await store.commit(group('end', { turns: [turn({ after: '0', end: true })], removedLetters: ['l40'] }));
  expect(counted(file).said).toEqual(counted(file).there);
  await store.close();
});

test('the warning says how many hours back what is left reaches', async () => {
  const file = path('hours.db');
  const store = await open({ path: file, maxBytes: 6 * MB });
  const hour = 3_600_000;
  await store.commit(
    group('0', { turns: [turn({ record: record() })], ids: [keptId({ id: 'open', until: 1 })] }),
  );
  for (let i = 1; store.warnings.length === 0; i += 1) {
    const numbers = Array.from({ length: 50 }, (_, k) => i * 50 + k);
    const ids = numbers.map((n) =>
      keptId({ id: `${n}`, outcome: 'done', value: answer, until: AT + (n * hour) / 100 }),
    );
    await store.commit(group(`${i}`, { ids, letters: [letter(`l${i}`, { at: AT + 2 * i * hour })] }));
    if (store.warnings.length === 0) continue;
    const db = new DatabaseSync(file, { readOnly: true });
    const left = db.prepare("select count(*) count from ids where outcome <> 'open'").get() as {
      count: number;
    };
    db.close();
    // One each hundredth of an hour is left; the one that is open is not of those that go.
    const idHours = ((left.count - 1) / 100).toFixed(1);
    expect(Number(idHours)).toBeGreaterThan(1);
    expect(store.warnings[0]).toContain(
      `reaches back ${idHours} hours for ids, and ${2 * (i - 1)}.0 for dead letters`,
    );
  }
  await store.close();
});

test('one that is larger than its part stays until another comes', async () => {
  const store = await open({ path: path('large.db'), maxBytes: MB });
  const put = (id: string, at: number) =>
    store.commit(group(id, { letters: [letter(id, { at, event: answer.repeat(20) })] }));
  expect((await put('a', 1)).dropped).toBeUndefined();
  expect((await put('b', 2)).dropped).toEqual({ ids: 0, letters: 1 });
  expect((await store.letters(undefined, 10)).map(({ id }) => id)).toEqual(['b']);
  await store.close();
});

test('what was written without a bound, or deleted by a command, is counted when there is one again', async () => {
  const file = path('later.db');
  let store = await open({ path: file });
  const ids = [keptId({ outcome: 'done', value: answer })];
  await store.commit(group('1', { turns: [turn({ record: record() })], ids }));
  expect(counted(file).said).toBeNull();
  await store.close();
  for (let i = 0; i < 2; i += 1) {
    store = await open({ path: file, maxBytes: MB });
    expect(counted(file).said).toEqual(counted(file).there);
    await store.close();
    await forgetInStore(file, one);
  }
  expect(counted(file)).toEqual({ said: null, there: { ids: 0, letters: 0 } });
});
