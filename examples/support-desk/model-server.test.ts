import { expect, onTestFinished, test } from 'vitest';
import { startModelServer, type ModelServerOptions } from './model-server.ts';

async function started(options?: ModelServerOptions) {
  const server = await startModelServer(options);
  onTestFinished(() => server.close());
  const ask = (path: string, content: string, key = 'sk-model-server') =>
    fetch(server.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content }] }),
    });
  return { server, ask };
}

test('a model says what its prompt tells it to, token by token', async () => {
  const { ask } = await started({ tokenMs: 1 });
  const said = await (await ask('/v1/chat/completions', 'say two words')).text();
  expect(said.match(/"content":"[^"]*"/g)).toEqual(['"content":""', '"content":"two"', '"content":" words"']);
  expect(said.endsWith('data: [DONE]\n\n')).toBe(true);
});

test('a model that breaks off has no end', async () => {
  const { ask } = await started();
  await expect(ask('/v1/messages', 'break off').then((response) => response.text())).rejects.toThrow(
    'terminated',
  );
});

test('a key that is not known, a request too many and a path that does not exist are answered as the protocols say', async () => {
  const { server, ask } = await started();
  server.refuse(1, 1500);
  const refused = await ask('/v1/messages', 'hello');
  expect([refused.status, refused.headers.get('retry-after-ms'), refused.headers.get('retry-after')]).toEqual(
    [429, '1500', '2'],
  );
  expect(await refused.json()).toMatchObject({ type: 'error', error: { type: 'rate_limit_error' } });
  server.keys.delete('sk-model-server');
  expect(await (await ask('/v1/responses', 'hello')).json()).toMatchObject({ error: { code: '401' } });
  expect((await ask('/v1/other', 'hello')).status).toBe(404);
  expect(server.requests.map(({ status }) => status)).toEqual([429, 401, 404]);
});
