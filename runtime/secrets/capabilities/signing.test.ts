import { Ending } from '../../base/ending.ts';
import { createHmac, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { decodeProtectedHeader, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { builtinCapabilities } from './builtin-capabilities.ts';
import type { Capability } from './capability.ts';
import { runCapability } from './capability-call.ts';

const byName = (name: string): Capability =>
  builtinCapabilities.find((one) => one.name === name) as Capability;

async function run(name: string, key: string | Uint8Array, args: unknown): Promise<string> {
  return runCapability({
    capability: byName(name),
    instance: 'a/1',
    incarnation: 1,
    label: 'key',
    held: { versionId: 'v1', bytes: Buffer.from(key) },
    another: () => Promise.reject(new Error('not in this test')),
    args,
    mayCarry: () => true,
    ending: new Ending(),
  }) as string | Promise<string>;
}

async function problem(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => expect.unreachable('it should have failed'),
    (thrown: unknown) => thrown as Error,
  );
  expect(error).toBeInstanceOf(TypeError);
  return error.message;
}

describe('sign.hmac', () => {
  test('signs text and bytes with each algorithm, in each encoding', async () => {
    for (const algorithm of ['sha256', 'sha384', 'sha512'] as const) {
      for (const encoding of ['hex', 'base64', 'base64url'] as const) {
        for (const data of ['an örder', new TextEncoder().encode('bytes'), '']) {
          const expected = createHmac(algorithm, 'the key').update(data).digest(encoding);
          expect(await run('sign.hmac', 'the key', { data, algorithm, encoding })).toBe(expected);
        }
      }
    }
    const usual = createHmac('sha256', 'the key').update('x').digest('hex');
    expect(await run('sign.hmac', 'the key', { data: 'x' })).toBe(usual);
  });

  test('says all that is wrong with its arguments at once', async () => {
    const said = await problem(
      run('sign.hmac', 'the key', { data: 7, algorithm: 'md5', encoding: 'utf8', key: 'x' }),
    );
    for (const key of ['data', 'algorithm', 'encoding', 'key is unknown']) expect(said).toContain(key);
    for (const args of [undefined, null, 'data', [], 7]) {
      expect(await problem(run('sign.hmac', 'the key', args))).toContain('args is not an object');
    }
  });

  test('refuses an empty key', async () => {
    expect(await problem(run('sign.hmac', '', { data: 'x' }))).toContain('empty');
  });
});

describe('sign.jwt', () => {
  const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const curve = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
  const [p256, p384, p521] = [curve('P-256'), curve('P-384'), curve('P-521')];
  const ed = generateKeyPairSync('ed25519');
  const shared = randomBytes(64);

  test.each([
    ...['HS256', 'HS384', 'HS512'].map((alg) => [alg, shared, shared] as const),
    ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map(
      (alg) => [alg, pem(rsa.privateKey), rsa.publicKey] as const,
    ),
    ['ES256', pem(p256.privateKey), p256.publicKey] as const,
    ['ES384', pem(p384.privateKey), p384.publicKey] as const,
    ['ES512', pem(p521.privateKey), p521.publicKey] as const,
    ['EdDSA', pem(ed.privateKey), ed.publicKey] as const,
  ])('%s signs what the other side verifies', async (alg, secret, verifying) => {
    const args = {
      alg,
      claims: { scope: 'trade', nested: { a: [1] } },
      expiresInSeconds: 60,
      issuer: 'desk',
      subject: 'trading/btc',
      audience: ['exchange', 'other'],
      kid: 'k1',
    };
    const token = await run('sign.jwt', secret, args);
    const { payload, protectedHeader } = await jwtVerify(token, verifying, {
      issuer: 'desk',
      audience: 'exchange',
      algorithms: [alg],
    });
    expect(protectedHeader).toEqual({ alg, typ: 'JWT', kid: 'k1' });
    expect(payload).toMatchObject({ scope: 'trade', nested: { a: [1] }, sub: 'trading/btc' });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
  });

  test('lasts five minutes and says no more than it must', async () => {
    const token = await run('sign.jwt', shared, { alg: 'HS256' });
    const { payload } = await jwtVerify(token, shared);
    expect(Object.keys(payload).toSorted()).toEqual(['exp', 'iat']);
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(300);
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256', typ: 'JWT' });
  });

  test('says all that is wrong with its arguments at once', async () => {
    const wrong = {
      alg: 'none',
      claims: { exp: 1, iat: 1, nbf: 1, iss: 'x' },
      expiresInSeconds: 3601,
      issuer: 'y',
      subject: '',
      audience: [],
      kid: 7,
      header: {},
    };
    const said = await problem(run('sign.jwt', shared, wrong));
    for (const key of [
      'alg',
      'exp',
      'iat',
      'nbf',
      'iss is given twice',
      'expiresInSeconds',
      'subject',
      'audience',
      'kid',
      'header is unknown',
    ])
      expect.soft(said).toContain(key);
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    for (const claims of [circle, { n: 1n }, [], 'x', { x: 'x'.repeat(9000) }]) {
      expect(await problem(run('sign.jwt', shared, { alg: 'HS256', claims }))).toContain('claims');
    }
    for (const expiresInSeconds of [0, -1, 1.5, Number.NaN, '60', Infinity]) {
      expect(await problem(run('sign.jwt', shared, { alg: 'HS256', expiresInSeconds }))).toContain(
        'expiresIn',
      );
    }
  });

  test.each([
    ['HS256', shared.subarray(0, 31), /too short.*32/],
    ['HS384', shared.subarray(0, 47), /too short.*48/],
    ['HS512', shared.subarray(0, 63), /too short.*64/],
    ['HS256', rsa.publicKey.export({ type: 'spki', format: 'pem' }), /not a key for HS256/],
    ['RS256', rsa.publicKey.export({ type: 'spki', format: 'pem' }), /not a key for RS256/],
    ['RS256', shared, /not a key for RS256/],
    ['RS256', pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey), /not a key for RS256/],
    ['RS256', pem(p256.privateKey), /not a key for RS256/],
    ['ES256', pem(p384.privateKey), /not a key for ES256/],
    ['ES256', pem(rsa.privateKey), /not a key for ES256/],
    ['EdDSA', pem(p256.privateKey), /not a key for EdDSA/],
    ['PS256', pem(ed.privateKey), /not a key for PS256/],
    ['ES256', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n', /not a key for ES256/],
    [
      'ES256',
      p256.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }),
      /not a key for ES256/,
    ],
  ])('%s refuses a key that does not fit (%#), and does not show it', async (alg, key, message) => {
    const said = await problem(run('sign.jwt', key, { alg }));
    expect(said).toMatch(message);
    expect(said.length).toBeLessThan(200);
  });
});
