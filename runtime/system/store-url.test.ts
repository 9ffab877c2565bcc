import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RuntimeConfig } from 'holdfast';
import { createMemoryProvider } from 'holdfast/testing';
import { fixture, start } from '../fixtures/start.ts';
import { formsOf } from '../secrets/fixtures/encoders.ts';
import { hasPostgres, type Server, startServer } from '../store/postgres/fixtures/server.ts';

const FIRST = 'CANARY-first-pass/word of the db';
const NEXT = 'CANARY-second-pass/word of the db';
const CANARIES = [FIRST, NEXT].flatMap((value) => formsOf(value));
const canaryIn = (text: string): boolean => CANARIES.some((form) => text.includes(form));

let server: Server;
beforeAll(async () => {
  if (!hasPostgres) return;
  server = await startServer();
  const rules = 'local all postgres trust\nlocal all all scram-sha-256\n';
  writeFileSync(join(server.folder, 'data', 'pg_hba.conf'), rules);
  await server.stop();
  await server.start();
});
afterAll(() => server?.remove());

const urlOf = (password: string): string =>
  `postgresql://holdfast:${encodeURIComponent(password)}@localhost/postgres?host=${encodeURIComponent(server.folder)}`;
const setPassword = (password: string): string => server.sql(`alter role holdfast password '${password}'`);
/** The server lets all connections of the role go. */
const cut = (): string =>
  server.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'holdfast'");

/** A runtime whose config names the database by a secret, and what it has said. */
async function open(schema: string) {
  setPassword(FIRST);
  const provider = createMemoryProvider({ push: false });
  provider.set('db', JSON.stringify({ url: urlOf(FIRST) }));
  const said: string[] = [];
  const say = (fields: object, message?: string): void =>
    void said.push(`${inspect(fields, { depth: 9 })} ${message}`);
  const config: RuntimeConfig = {
    externalSecrets: { provider: 'memory' },
    store: { type: 'postgres', url: 'db#url', schema },
    agents: { account: fixture('account') },
  };
  const begin = () =>
    start(config, { providers: [provider], logger: { debug: say, info: say, warn: say, error: say } });
  return { provider, said, begin };
}

describe.skipIf(!hasPostgres)('a database whose url is a secret', () => {
  it('keeps the agents of a config, and the next process goes on with them', async () => {
    const { said, begin } = await open('kept');
    const first = await begin();
    const ref = await first.spawn('account', { id: 'a' });
    expect(await ref.ask({ type: 'deposit', amount: 2 })).toBe(2);
    const status = JSON.stringify(first.status());
    await first.stop();
    const second = await begin();
    expect(await (await second.getOrSpawn('account', 'a')).ask({ type: 'total' })).toBe(2);
    expect(canaryIn(said.join('\n') + status + server.dump('kept'))).toBe(false);
  });

  it('is connected to with what the secret has then, also when nobody has told of its rotation', async () => {
    const { provider, said, begin } = await open('rotated');
    const runtime = await begin();
    const ref = await runtime.spawn('account', { id: 'a' });
    await ref.ask({ type: 'deposit', amount: 2 });
    setPassword(NEXT);
    provider.set('db', JSON.stringify({ url: urlOf(NEXT) }));
    cut();
    expect(await ref.ask({ type: 'deposit', amount: 3 })).toBe(5);
    // Only the new one lets it in.
    expect(cut()).toBe('t');
    expect(canaryIn(said.join('\n'))).toBe(false);
  });

  it('that has another password is said to refuse the user, without the one that was given', async () => {
    const { said, begin } = await open('refused');
    setPassword(NEXT);
    const error: unknown = await begin().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringMatching(
        /^the store refused in the database of the secret "db#url" refuses this user: look at .*password in its url/,
      ),
    });
    expect(canaryIn(inspect(error, { depth: 9, showHidden: true }) + said.join('\n'))).toBe(false);
  });

  it.each([
    ['is not there', undefined, 'SECRET_NOT_FOUND', /store\.url.*Its `ref` is "db#url"/s],
    [
      'is no url',
      'CANARY-first-pass/word of the db',
      'STORE_FAILED',
      /has no url in that secret: it has to be a url like/,
    ],
    [
      'has a password that is not encoded',
      'postgresql://u:12/CANARY-first-pass/word of the db@h/db',
      'STORE_FAILED',
      /has no url in that secret: .*percent-encode/,
    ],
  ])('is not opened when the secret %s', async (_what, url, code, message) => {
    const { provider, said, begin } = await open('wrong');
    if (url === undefined) provider.remove('db');
    else provider.set('db', JSON.stringify({ url }));
    const error: unknown = await begin().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(canaryIn(inspect(error, { depth: 9, showHidden: true }) + said.join('\n'))).toBe(false);
  });

  it('has its password kept out of the states of agents, and so out of itself', async () => {
    const { said, begin } = await open('scrubbed');
    const runtime = await begin();
    const ref = await runtime.spawn('account', { id: 'a' });
    const other = await runtime.spawn('account', { id: 'b' });
    await ref.deliver({ type: 'note', note: FIRST }).catch(() => {});
    await other.deliver({ type: 'note', note: 'another word that is no secret' });
    const dump = server.dump('scrubbed');
    expect(dump).toContain(Buffer.from('another word that is no secret').toString('hex'));
    expect(canaryIn(said.join('\n') + dump)).toBe(false);
  });
});
