import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { ConfigError } from '../base/errors.ts';
import { configFolder } from './fixtures/config-folder.ts';
import { loadConfig, loadForGateway, validateConfig } from './load.ts';
import { storeName } from './store-name.ts';

const CANARY = 'cnry-7f3a9';
const file = { type: 'sqlite', path: './a.db' };
const database = { type: 'postgres', url: 'db/agents#url' };
const at = (url: unknown) => ({ type: 'postgres', url });

async function errorOf(store: object): Promise<ConfigError | undefined> {
  const config = { externalSecrets: { provider: 'env' }, agents: {}, store };
  const error = (await validateConfig(config).catch((thrown: unknown) => thrown)) as ConfigError;
  return 'problems' in error ? error : undefined;
}

async function problemsOf(store: object): Promise<string[]> {
  const error = await errorOf(store);
  return (error?.problems ?? []).map(({ code, path }) => `${code} ${path.slice(1).join('.')}`);
}

describe('a store', () => {
  test.each([
    file,
    database,
    at({ id: 'db/agents', jsonKey: 'url' }),
    at('postgresql://holdfast@db.example.test/agents'),
    at('postgresql:///agents?host=/run/postgresql'),
    {
      ...database,
      schema: 'desk',
      tls: { ca: 'ca.pem', cert: 'c.pem', key: 'k.pem' },
      keepIdsMs: 60_000,
      wakesPerSecond: 50,
      onFailure: 'exit',
    },
  ])('may be %o', async (store) => {
    expect(await problemsOf(store)).toEqual([]);
  });

  test.each([
    [{ type: 'sqlite' }, ['missing-key path']],
    [{ type: 'postgres' }, ['missing-key url']],
    [
      { ...database, path: 'a.db', fsync: 'os', maxBytes: 1_048_576, encryption: { key: 'k' } },
      ['wrong-mode path', 'wrong-mode fsync', 'wrong-mode maxBytes', 'wrong-mode encryption'],
    ],
    [
      { ...file, url: 'db', schema: 'desk', tls: {} },
      ['wrong-mode url', 'wrong-mode schema', 'wrong-mode tls'],
    ],
    [{ type: 'postgres', path: 'a.db' }, ['missing-key url', 'wrong-mode path']],
    [{ type: 'mysql', path: 'a.db', url: 'db' }, ['unknown-value type']],
    [{ ...database, schema: 'a-b' }, ['invalid-format schema']],
    [{ ...database, tls: { cert: 'c.pem' } }, ['missing-key tls.key']],
    [{ ...database, tls: { key: 'k.pem', pem: 1 } }, ['unknown-key tls.pem', 'missing-key tls.cert']],
    [at(''), ['out-of-range url', 'invalid-format url']],
    [at({ provider: 'vlt', id: 'db' }), ['unknown-provider url.provider']],
    [at(`postgresql://u:${CANARY}@h/db`), ['password-in-url url']],
    [at(`postgresql:///db?host=/run&password=${CANARY}`), ['password-in-url url']],
    // A password that is not encoded, of which a part stands where something else does.
    [at(`postgresql://u:12/${CANARY}@h/db`), ['invalid-format url']],
    [at(`postgresql://u:12?${CANARY}@h/db`), ['invalid-format url']],
    [at(`postgresql://u:12#${CANARY}@h/db`), ['invalid-format url']],
    [at(`mysql://u:${CANARY}@h/db`), ['invalid-format url']],
    [at(`host=h password=${CANARY}`), ['invalid-format url']],
    [at([CANARY]), ['wrong-type url']],
  ])('may not be %o, and what its url has is not shown', async (store, problems) => {
    expect(await problemsOf(store)).toEqual(problems);
    expect(inspect(await errorOf(store), { depth: 10 })).not.toContain(CANARY);
  });

  test('of which the file says a password is told with its place, and without a line that shows it', async () => {
    const folder = await configFolder();
    const text = `{ agents: {},\n  store: { type: 'postgres', url: 'postgresql://u:${CANARY}@h/db' } }`;
    const error = (await loadConfig(await folder.write('c.json5', text)).catch(
      (thrown: unknown) => thrown,
    )) as ConfigError;
    expect(error.message).toMatch(
      /c\.json5:2:35 store\.url: this url has a password.*store the url as a secret/,
    );
    expect(inspect(error, { depth: 10 })).not.toContain(CANARY);
  });

  test('has its own defaults, its paths absolute, and the name by which people know it', async () => {
    const of = async (store: object) =>
      (await loadConfig({ externalSecrets: { provider: 'env' }, agents: {}, store })).store;
    const found = await of({ ...database, tls: { ca: 'ca.pem' } });
    expect(found).toEqual({
      ...database,
      schema: 'holdfast',
      tls: { ca: join(process.cwd(), 'ca.pem') },
      keepIdsMs: 86_400_000,
      wakesPerSecond: 1000,
      onFailure: 'wait',
    });
    expect(await of(file)).not.toHaveProperty('schema');
    const named = async (store: object) => storeName((await of(store)) ?? (file as never));
    expect(await named(database)).toBe('holdfast in the database of the secret "db/agents#url"');
    expect(await named(at('postgresql://me@db.test:5433/agents'))).toBe('holdfast in agents at db.test:5433');
  });

  test('whose files are not there is refused by a gateway', async () => {
    const folder = await configFolder();
    const store = { ...at('postgresql://db.test/a'), tls: { ca: './ca.pem' } };
    const config = await folder.write('c.json', JSON.stringify({ agents: {}, store }));
    await expect(loadForGateway(config)).rejects.toThrow(/store\.tls\.ca: .*ca\.pem is not there/);
  });
});
