import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRuntime } from 'holdfast';
import { expect, test } from 'vitest';
import { deskConfig, openclawFile, readOpenclaw } from './desk-config.ts';

const owner = await readOpenclaw();
const key = { secretId: 'desk/key', region: 'ap-east-1', endpoint: 'http://127.0.0.1:1' };

/** `value` without whatever `pattern` does not have. */
function within(value: unknown, pattern: unknown): unknown {
  if (typeof pattern !== 'object' || pattern === null) return value;
  const held = value as Record<string, unknown>;
  return Object.fromEntries(Object.entries(pattern).map(([name, part]) => [name, within(held[name], part)]));
}

test("openclaw.json is the owner's file, byte for byte", async () => {
  const bytes = await readFile(openclawFile);
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(
    '9d3d848317be32cbdf1ca3b4533cc45ab52bf04aafe6674af06a7e96854a7d40',
  );
});

test("without the additions the desk's config is the owner's, value by value", () => {
  expect(within(deskConfig(owner, key), owner)).toEqual(owner);
});

test('the additions are these and no others', () => {
  const config = deskConfig(owner, key);
  const added = Object.keys(config).filter((name) => !(name in owner));
  expect(added).toEqual(['secrets', 'threads']);
  expect(config.threads).toEqual({ 'finance-threads': { isolation: 'thread+permissions' } });
  expect(Object.keys(config.agents)).toEqual(Object.keys(owner.agents));
  const additions = Object.entries(config.agents).map(([name, agent]) => [
    name,
    Object.keys(agent).filter((field) => !['type', 'threadId', 'maxThreads'].includes(field)),
  ]);
  expect(Object.fromEntries(additions)).toEqual({
    'security-agent': ['module', 'supervision'],
    'finance-agent': ['module', 'secrets'],
    'trading-agent': ['module', 'secrets'],
  });
});

test('each agent may use the key for its own purpose only', () => {
  const { agents } = deskConfig(owner, key);
  expect(agents['trading-agent'].secrets?.['desk-key']?.capabilities).toEqual(['sign-order']);
  expect(agents['finance-agent'].secrets?.['desk-key']?.capabilities).toEqual(['sign-report']);
  expect('secrets' in agents['security-agent']).toBe(false);
});

test('for the real service no endpoint is written', () => {
  const { secrets } = deskConfig(owner, { secretId: 'x', region: 'eu-west-1' });
  expect(secrets.providers.desk).toEqual({
    provider: 'aws-secrets-manager',
    region: 'eu-west-1',
    cacheTTL: 1,
  });
});

test("the owner's file runs as it is: the modules are found beside it and no provider is asked", async () => {
  const runtime = await createRuntime(openclawFile);
  try {
    const scan = await runtime.spawn('security-agent', { id: 'one', input: { folder: import.meta.dirname } });
    expect(await scan.ask({ type: 'findings' })).toEqual({ scanned: 0, skipped: [], findings: [] });
    const trader = await runtime.spawn('trading-agent', { input: { symbol: 'X', fast: 2, slow: 3 } });
    await trader.deliver({ type: 'tick', date: '2000-01-01', price: 1 });
    expect(await trader.ask({ type: 'summary' })).toMatchObject({ symbol: 'X', ticks: 1 });
    const book = await runtime.spawn('finance-agent', { input: { book: 'b', stake: 1 } });
    expect(await book.ask({ type: 'report' })).toBeNull();
    expect(runtime.status()).toMatchObject({ deadLetters: 0, secrets: [] });
  } finally {
    await runtime.stop();
  }
});
