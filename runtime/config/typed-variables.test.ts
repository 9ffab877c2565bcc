import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadConfig, validateConfig } from './load.ts';

function file(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-variables-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'openclaw.json'), text);
  return join(folder, 'openclaw.json');
}

test('a variable that stands alone is the number, or the true or false, that is wanted there', async () => {
  const at = file(`{
    agents: {},
    gateway: { port: '\${PORT}', reload: '\${RELOAD}', requestTimeoutMs: '\${MS}' },
    externalSecrets: { provider: 'env', cacheTTL: '\${TTL}' },
  }`);
  const env = { PORT: '8080', RELOAD: 'false', MS: '5000', TTL: '0.5' };
  const { gateway, providers } = await loadConfig(at, { env });
  expect(gateway).toMatchObject({ port: 8080, reload: false, requestTimeoutMs: 5000 });
  expect(providers).toMatchObject([{ cacheTtlMs: 500 }]);
  expect(await validateConfig(at, { env })).toMatchObject({ gateway: { port: 8080 } });
});

test('it stays a text where a text is wanted, and where there is more than the variable', async () => {
  const threads = `threads: { p: { env: { PRICE: '\${N}' } } }`;
  const agent = `agents: { a: { type: 'thread-bound', threadId: 'p', maxThreads: '\${N}' } }`;
  expect(await validateConfig(file(`{ ${agent}, ${threads} }`), { env: { N: '12' } })).toMatchObject({
    agents: { a: { maxThreads: 12 } },
    threads: { p: { env: { PRICE: '12' } } },
  });
  for (const [text, env] of [
    ["'1${N}'", { N: '12' }],
    ["'12'", {}],
    ["'${N}'", { N: 'twelve' }],
    ["'${N}'", { N: '' }],
    ["'${N}'", { N: '0x10' }],
    ["'${N}'", { N: '70000' }],
  ] as const)
    await expect(validateConfig(file(`{ agents: {}, gateway: { port: ${text} } }`), { env })).rejects.toThrow(
      'gateway.port: expected an integer from 0 to 65535',
    );
});

test('what is wrong with it is told, without what the variable holds', async () => {
  await expect(
    validateConfig(file("{ agents: {}, gateway: { port: '${PORT}' } }"), { env: { PORT: 'hunter2!' } }),
  ).rejects.toThrow('got "${PORT}"');
  await expect(
    validateConfig(file("{ agents: {}, gateway: { port: '${PORT}' } }"), { env: {} }),
  ).rejects.toThrow(/the variable PORT is not set; .*\.env/);
});

test.for([
  ['[::1]', 'write the address without brackets: "::1"'],
  ['[::1]:8080', 'write the address without brackets: "::1"'],
  ['127.0.0.1:8080', 'expected the address or the name of a host alone; the port is "port"'],
  ['http://127.0.0.1', 'expected the address or the name of a host alone'],
  ['my host', 'expected the address or the name of a host alone'],
] as const)('a host that is none, %s, is told', async ([host, said]) => {
  await expect(
    validateConfig(file(JSON.stringify({ agents: {}, gateway: { host, plaintext: true } }))),
  ).rejects.toThrow(said);
});

test.for(['::1', '127.0.0.1', 'localhost', 'fe80::1%eth0', 'agents.example.com'])(
  'a host that is one, %s, is taken',
  async (host) => {
    const gateway = { host, plaintext: true };
    expect(await validateConfig(file(JSON.stringify({ agents: {}, gateway })))).toMatchObject({ gateway });
  },
);
