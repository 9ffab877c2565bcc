import { randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { createSecretsBroker } from '../broker.ts';
import { defineCapability } from '../capabilities/capability.ts';
import { createMemoryProvider } from '../fixtures/memory-provider.ts';
import { placeholderReason } from './placeholders.ts';

const reason = (text: string) => placeholderReason(Buffer.from(text));

test.each([
  ['changeme', 'CHANGE_ME', 'change-this', 'placeholder', 'example', 'TODO', 'tbd', 'dummy'],
  [
    'your-api-key',
    'YOUR_API_KEY',
    'your-api-key-here',
    'sk-your-key-here',

    'insert your token here',
  ],
  [
    '<your-api-key>',
    '<token>',
    '[YOUR KEY]',
    '"changeme"',
    " 'placeholder'\n",
    'undefined',
    '[object Object]',
  ],
  ['${STRIPE_KEY}', 'Bearer ${TOKEN}', 'postgres://desk:${DB_PASS}@db/desk', '{{ api_key }}', '%API_KEY%'],
  ['AKIAIOSFODNN7EXAMPLE', 'AKIAI44QH8DHBEXAMPLE', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'],
  [
    '__OPENCLAW_REDACTED__',
    'oc-sent-v2.c2VjcmV0.end',
    '<redacted:secret>',
    '<redacted:desk-key>',
    'REDACTED',
    '[REDACTED]',
  ],
  [
    '***SensitiveInformation***',
    ':censored:6:a1b2c3:',
    '********',
    'sk-ant…wxyz',
    'sk-a...wxyz',
    'ghp_ab****yz',
    '[Filtered]',
  ],
  ['xxx', 'XXXXXXXXXXXX', 'sk-xxxxxxxxxxxx', 'sk_live_xxxxxxxx', 'sk_test_00000000', '.....', '', '  '],
])('refuses %s and what is like it', (...texts) => {
  expect(texts.filter((text) => reason(text) === undefined)).toEqual([]);
});

test('says why without a word of the text', () => {
  for (const text of ['changeme', 'AKIAIOSFODNN7EXAMPLE', '${STRIPE_KEY}', 'xxxxxxxxxxxx']) {
    expect(reason(text)).toMatch(/^it is /);
    expect(reason(text)).not.toContain(text);
  }
});

test('takes a random key of any usual form for real', () => {
  const prefix = fc.constantFrom('', 'sk-', 'sk_live_', 'ghp_', 'xoxb-', 'AKIA', 'SG.', 'Bearer ');
  const key = fc
    .tuple(
      prefix,
      fc.uint8Array({ minLength: 8, maxLength: 64 }),
      fc.constantFrom('base64', 'base64url', 'hex'),
    )
    .map(([before, bytes, encoding]) => before + Buffer.from(bytes).toString(encoding as BufferEncoding));
  fc.assert(
    fc.property(key, (text) => {
      fc.pre(!/^(.+_)?0{8}/.test(text));
      expect(reason(text)).toBeUndefined();
    }),
    { numRuns: 2000 },
  );
  for (let n = 0; n < 500; n += 1) {
    for (const text of [
      randomUUID(),
      randomBytes(20).toString('base64'),
      randomBytes(6).toString('latin1'),
    ]) {
      expect(reason(text)).toBeUndefined();
    }
  }
});

test.each([
  'correct horse battery staple',
  'P@ssw0rd!2026',
  'hunter2',
  'password',
  'my-dog-likes-2-walks',
  'postgres://desk:s3cr3t@db.example.com/desk',
  '{"user":"desk","password":"s3cr3t-value"}',
  '-----BEGIN PRIVATE KEY-----\nMIIEvQ…',
  'eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG_HACGpVUMN_a9IV7pAx_Zmeo',
  `<${'x'.repeat(300)}>`,
  'api-key-01',
  'example.com-9f3a',
])('takes %s for real', (text) => {
  expect(reason(text)).toBeUndefined();
});

test.each([
  ['the whole', undefined, 'changeme', 'it is a text that stands for the real one'],
  ['a field', 'key', '{"key":"${STRIPE_KEY}"}', 'it is a variable that was not filled in'],
])(
  'a capability is not run with %s that is a placeholder, and the error or a warning says why',
  async (_, jsonKey, value, why) => {
    const provider = createMemoryProvider();
    provider.set('prod/key', 'v1', value);
    const warnings: string[] = [];
    let ran = 0;
    const broker = createSecretsBroker({
      providers: [{ alias: 'default', provider: 'memory', cacheTtlMs: 300_000, options: {} }],
      customProviders: [provider],
      capabilities: [defineCapability('sign', () => (ran += 1))],
      onWarning: (message) => warnings.push(message),
    });
    onTestFinished(() => broker.stop());
    const caller = { address: 'a/b', incarnation: 1, pool: 'p' };
    const grant = {
      label: 'key',
      provider: 'default',
      id: 'prod/key',
      mode: 'capability',
      capabilities: ['sign'],
    } as const;
    broker.open(caller, [{ ...grant, ...(jsonKey !== undefined && { jsonKey }) }], () => {});
    const failed = broker.call(caller, 'sign', 'key', undefined).catch((error: unknown) => error as Error);
    expect(await failed).toMatchObject({ code: 'SECRET_UNAVAILABLE' });
    const told = [String(await failed), ...warnings].join('\n');
    expect(told).toContain(why);
    expect(told).toMatch(/the secret "(prod\/)?key"/i);
    expect(told).not.toContain('STRIPE');
    expect(ran).toBe(0);
  },
);
