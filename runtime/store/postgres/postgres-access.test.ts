import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { readPostgresUrl } from '../../base/postgres-url.ts';
import { postgresStore } from './postgres-store.ts';

test.each([
  [
    'postgresql://u:p%40@db.example.test:5433/agents',
    { host: 'db.example.test', port: 5433, user: 'u', password: 'p@', tls: true },
  ],
  ['postgres://db.example.test/agents?sslmode=disable', { database: 'agents', tls: false }],
  ['postgresql://127.0.0.1/agents', { host: '127.0.0.1', port: undefined, tls: false }],
  ['postgresql://[::1]:5432/agents', { host: '::1', tls: false }],
  ['postgresql://localhost/agents?sslmode=require', { tls: true }],
  [
    'postgresql:///agents?host=/run/postgresql&user=u',
    { host: '/run/postgresql', database: 'agents', user: 'u', tls: false },
  ],
])('reads %s', (url, place) => {
  expect(readPostgresUrl(url)).toMatchObject({ place });
});

test('says all that is wrong with a url, and nothing of what it holds', () => {
  const url = 'postgresql://u:canary-word@a.test,b.test/db?sslmode=prefer&options=-c%20canary&target=1';
  const read = (): unknown => postgresStore({ url });
  expect(read).toThrow(
    expect.objectContaining({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(/parameter that is not known.*one host.*sslmode has to be/s),
    }),
  );
  expect(read).not.toThrow(/canary/);
  expect(() => postgresStore({ url: 'mysql://u:canary-word@h/db' })).toThrow(/has to be a url like/);
  expect(() => postgresStore({ url: 'mysql://u:canary-word@h/db' })).not.toThrow(/canary/);
});

test('options of which some are wrong are refused, all at once', () => {
  const wrong = { url: '', schema: 'a-b', tls: { pem: 1 }, keepIdsMs: 1 } as never;
  expect(() => postgresStore(wrong)).toThrow(/url[\s\S]*schema[\s\S]*tls[\s\S]*keepIdsMs/);
});

test('importing Holdfast, or making a store or a cluster, loads no driver', () => {
  const program = `import { registerHooks } from 'node:module';
    const seen = [];
    registerHooks({ resolve(name, context, next) { seen.push(name); return next(name, context); } });
    const { postgresStore } = await import('holdfast');
    const { cluster } = await import('holdfast/cluster');
    cluster({ nodes: ['127.0.0.1:7700'], index: 0 });
    postgresStore({ url: 'postgresql://127.0.0.1/none' });
    console.log(seen.length > 10, seen.filter((name) => name === 'pg'));`;
  const given = ['-C', 'holdfast-source', '--input-type=module', '-e', program];
  expect(execFileSync(process.execPath, given, { encoding: 'utf8' }).trim()).toBe('true []');
});

test('a driver that cannot be loaded is not said to be missing', () => {
  const program = `const { createRuntime, postgresStore } = await import('holdfast');
    const store = postgresStore({ url: 'postgresql://127.0.0.1/none' });
    await createRuntime({ agents: {} }, { store }).catch(({ code, message, cause }) => console.log(code, message, cause?.name));`;
  const given = ['-C', 'holdfast-source', '-C', 'import', '--input-type=module', '-e', program];
  const said = execFileSync(process.execPath, given, { encoding: 'utf8' });
  expect(said).toMatch(/OPTION_INVALID [\s\S]*cannot load pg; .*-C import.* TypeError/);
});
