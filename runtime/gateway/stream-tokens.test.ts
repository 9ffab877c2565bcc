import { expect, onTestFinished, test } from 'vitest';
import { face } from './fixtures/face.ts';
import { gateway } from './fixtures/gateway.ts';
import { StreamTokens } from './stream-tokens.ts';
import { digestOf, newToken } from './token-access.ts';

const desk = newToken();
const asDesk = { authorization: `Bearer ${desk}` };
const config = (token: object = {}) => ({ tokens: { desk: { sha256: digestOf(desk), ...token } } });

async function opened(changed: object = config()) {
  const open = await face(changed);
  onTestFinished(() => open.close());
  await open.call('PUT', '/v1/agents/counter/a');
  await open.call('PUT', '/v1/agents/counter/b');
  const make = async (headers = asDesk, path = '/v1/agents/counter/a/stream-token') => {
    const { status, body } = await open.call('POST', path, undefined, headers);
    return { status, token: (body as { token?: string } | undefined)?.token ?? '' };
  };
  const listen = async (token: string, path = '/v1/agents/counter/a/stream') => {
    const response = await open.app.request(`${path}?token=${token}`);
    await response.body?.cancel();
    return response.status;
  };
  return { ...open, make, listen };
}

test('a stream token opens the stream of its instance, once, and nothing else', async () => {
  const { app, make, listen } = await opened();
  const { status, token } = await make();
  expect([status, token]).toEqual([201, expect.stringMatching(/^hs_[\w-]{60,}$/)]);
  expect(await listen(token, '/v1/agents/counter/b/stream')).toBe(401);
  for (const path of ['/v1/agents', '/v1/agents/counter/a/snapshot']) {
    const asHeader = { authorization: `Bearer ${token}` };
    expect((await app.request(path, { headers: asHeader })).status).toBe(401);
    expect((await app.request(`${path}?token=${token}`)).status).toBe(401);
  }
  for (const wrong of [`${token}x`, token.slice(0, -1), `${token.slice(0, -1)}_`, 'hs_', '', desk]) {
    expect(await listen(wrong)).toBe(401);
  }
  expect(await listen(token)).toBe(200);
  expect(await listen(token)).toBe(401);
});

test('a stream token needs read for its agent, when it is made and when it is used', async () => {
  const { make, listen, reload } = await opened({
    tokens: {
      desk: { sha256: digestOf(desk), agents: ['counter'] },
      send: { sha256: digestOf('hf_send'), allow: ['send'] },
    },
  });
  expect((await make({ authorization: 'Bearer hf_send' })).status).toBe(403);
  expect((await make(asDesk, '/v1/agents/other/a/stream-token')).status).toBe(403);
  const { token } = await make();
  reload(config({ allow: ['send'] }));
  expect(await listen(token)).toBe(401);
});

test('a stream token is good for a minute, and so many of a token wait at most', () => {
  let time = 0;
  const tokens = new StreamTokens({ now: () => time });
  const owner = { name: 'desk', digest: Buffer.alloc(32) };
  const first = tokens.make(owner, 'counter/a');
  for (let n = 1; n < 1000; n += 1) tokens.make(owner, 'counter/a');
  expect(() => tokens.make(owner, 'counter/a')).toThrow(
    expect.objectContaining({ status: 429, code: 'LIMIT_REACHED' }) as Error,
  );
  tokens.make({ ...owner, name: 'other' }, 'counter/a');
  time = 59_999;
  expect(tokens.redeem(first, 'counter/a')).toEqual(owner);
  const late = tokens.handOver()[0]?.[0];
  expect(late).toBeDefined();
  time = 60_000;
  expect(tokens.handOver()).toEqual([]);
  expect(() => tokens.redeem(first, 'counter/a')).toThrow(expect.objectContaining({ status: 401 }) as Error);
});

test('a stream token outlives a restart, as a digest, and is in no log', async () => {
  const { front, call, log } = await gateway({ gateway: { port: 0, reload: false } });
  await call('PUT', '/v1/agents/counter/a');
  const made = await call('POST', '/v1/agents/counter/a/stream-token');
  const { token } = made.body as { token: string };
  await front.restart();
  const url = `${front.url}/v1/agents/counter/a/stream?token=${token}`;
  const response = await fetch(url);
  expect(response.status).toBe(200);
  await response.body?.cancel();
  expect((await fetch(url)).status).toBe(401);
  expect(log.join('\n')).not.toContain(token.slice(-43));
  const tokens = new StreamTokens({ now: () => 0 });
  const secret = tokens.make({ name: 'desk', digest: Buffer.alloc(32) }, 'counter/a').slice(-43);
  expect(JSON.stringify(tokens.handOver())).not.toContain(secret);
});
