import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { HttpError } from './http-error.ts';
import { sendError } from './send-error.ts';

async function answerTo(error: unknown): Promise<Response> {
  const server = createServer((_, response) => sendError(response, error)).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

test.each([
  ['what the gateway has given up', new HttpError(503, 'SERVICE_FAILED', 'it failed twice'), 503, true],
  ['a service that ended with the request', new Error('socket hang up'), 502, true],
  ['a path that is not there', new HttpError(404, 'NOT_FOUND', 'nothing is here'), 404, false],
])('%s is answered outside of the app as within it', async (_, error, status, retryable) => {
  const answer = await answerTo(error);
  expect(answer.status).toBe(status);
  expect(answer.headers.get('retry-after')).toBe(retryable ? '1' : null);
  expect(await answer.json()).toMatchObject({ error: { retryable } });
});
