import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { createRuntime, type DurableStore, sqliteStore } from 'holdfast';
import { loadConfig } from '../config/load.ts';
import { configStore } from '../system/config-store.ts';
import { memoryDurableStore } from './memory-durable-store.ts';

const path = join(tmpdir(), 'holdfast-never-opened.db');
const odd = {
  keepIdsMs: [0, 999, 1000.5, Infinity, NaN, '1000', null],
  wakesPerSecond: [0, -1, 0.5, Infinity, NaN, 1_000_001, '10'],
  onFailure: ['die', '', 1, {}],
} as const;
const cases = Object.entries(odd).flatMap(([key, values]) => values.map((value) => [key, value] as const));

describe('an option of a store that is not what it has to be', () => {
  it.each(cases)(
    '%s: %o is refused by sqliteStore(), by createRuntime() and in a config',
    async (key, value) => {
      const wrong = { code: 'OPTION_INVALID', message: expect.stringContaining(key) as string };
      expect(() => sqliteStore({ path, [key]: value as never })).toThrow(expect.objectContaining(wrong));
      const store = { ...memoryDurableStore(), [key]: value } as unknown as DurableStore;
      await expect(createRuntime({ agents: {} }, { store })).rejects.toMatchObject(wrong);
      const config = { store: { type: 'sqlite', path, [key]: value as never }, agents: {} } as const;
      await expect(loadConfig(config)).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining(`store.${key}`),
      });
    },
  );
});

test('what a config says of the use of its store is what the store says', async () => {
  const use = { keepIdsMs: 60_000, wakesPerSecond: 50, onFailure: 'exit' } as const;
  const { store } = await loadConfig({ store: { type: 'sqlite', path, ...use }, agents: {} });
  if (store === undefined) throw new Error('the config names a store');
  expect(configStore(store)).toMatchObject(use);
});
