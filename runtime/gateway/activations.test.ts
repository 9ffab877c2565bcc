import { expect, onTestFinished, test } from 'vitest';
import { face } from './fixtures/face.ts';
import { digestOf, newToken } from './token-access.ts';

const tokens = { desk: newToken(), more: newToken(), ops: newToken(), eyes: newToken() };
const as = (name: keyof typeof tokens) => ({ authorization: `Bearer ${tokens[name]}` });

async function opened(activatedInstances: number) {
  const open = await face({
    tokens: {
      desk: { sha256: digestOf(tokens.desk), agents: ['counter'] },
      more: { sha256: digestOf(tokens.more) },
      ops: { sha256: digestOf(tokens.ops), allow: ['send', 'manage'] },
      eyes: { sha256: digestOf(tokens.eyes), allow: ['read'] },
    },
    limits: { activatedInstances },
  });
  onTestFinished(() => open.close());
  const ask = async (id: string, headers: Record<string, string>, agent = 'counter') =>
    (await open.call('POST', `/v1/agents/${agent}/${id}/ask?activate=true`, { type: 'read' }, headers))
      .status;
  return { ...open, ask };
}

test('a token that may not manage starts so many instances that are there at a time, by sending to them', async () => {
  const { ask, call } = await opened(2);
  expect(await Promise.all(['a', 'b', 'c', 'd'].map((id) => ask(id, as('desk'))))).toEqual([
    200, 200, 429, 429,
  ]);
  // What is there is not started.
  expect(await ask('a', as('desk'))).toBe(200);
  // Others have their own, and who may manage has as many as they start.
  expect(await ask('c', as('more'))).toBe(200);
  expect(await ask('c', as('desk'))).toBe(200);
  expect(await Promise.all(['e', 'f', 'g'].map((id) => ask(id, as('ops'))))).toEqual([200, 200, 200]);
  expect(
    await call('POST', '/v1/agents/counter/x/events?activate=true', { type: 'inc' }, as('desk')),
  ).toMatchObject({
    status: 429,
    body: {
      error: {
        code: 'LIMIT_REACHED',
        message: expect.stringContaining('gateway.limits.activatedInstances') as string,
      },
    },
  });
  await call('DELETE', '/v1/agents/counter/b');
  expect(await ask('d', as('desk'))).toBe(200);
  expect(await ask('e2', as('desk'))).toBe(429);
});

test('a start that fails counts for nothing, and what may not be sent to is not started', async () => {
  const { ask, runtime } = await opened(1);
  expect(await ask('a', as('more'), 'nobody')).toBe(404);
  expect(await ask('a', as('eyes'))).toBe(403);
  expect(await ask('a', as('desk'), 'other')).toBe(403);
  expect(runtime.status().instances).toEqual([]);
  expect(await ask('a', as('more'))).toBe(200);
});
