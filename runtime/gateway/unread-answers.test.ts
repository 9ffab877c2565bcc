import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { gateway } from './fixtures/gateway.ts';
import { digestOf, newToken } from './token-access.ts';
import { UnreadAnswers } from './unread-answers.ts';

test('who asks for long answers and reads none is told to read, and others are not', async () => {
  const [desk, other] = [newToken(), newToken()];
  const { front, call } = await gateway({
    gateway: {
      port: 0,
      reload: false,
      maxBodyBytes: 16_000_000,
      tokens: { desk: { sha256: digestOf(desk) }, other: { sha256: digestOf(other) } },
    },
  });
  await call('PUT', '/v1/agents/counter/a', { input: { start: 'x'.repeat(8_000_000) } });
  const { port, hostname } = new URL(front.url);
  const sockets: Socket[] = [];
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  /** Asks for the state, reads the beginning of the answer, and no more. */
  const ask = async (): Promise<void> => {
    const socket = connect(Number(port), hostname);
    sockets.push(socket);
    socket.on('error', () => {});
    socket.write(
      `GET /v1/agents/counter/a/snapshot HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${desk}\r\n\r\n`,
    );
    await once(socket, 'readable');
  };
  const look = (token: string) =>
    call('GET', '/v1/agents/counter/a/snapshot', undefined, { authorization: `Bearer ${token}` });
  for (let n = 0; n < 9; n += 1) await ask();
  expect(await look(desk)).toMatchObject({ status: 429, body: { error: { code: 'LIMIT_REACHED' } } });
  expect(await look(other)).toMatchObject({ status: 200 });
  for (const socket of sockets) socket.destroy();
  await expect.poll(async () => (await look(desk)).status).toBe(200);
});

test('who takes nothing of an answer is cut off, and what it left unread counts no more', async () => {
  const unread = new UnreadAnswers(100);
  const long = 'x'.repeat(70_000_000);
  const server = createServer((_request, response) => {
    unread.add({ name: 'desk' }, long.length, response);
    response.end(long);
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'readable');
  expect(() => unread.assertRoom({ name: 'desk' })).toThrow(
    expect.objectContaining({ status: 429, code: 'LIMIT_REACHED' }) as Error,
  );
  expect(() => unread.assertRoom({ name: 'other' })).not.toThrow();
  // It is the server that closes: the client does nothing.
  await expect.poll(() => unread.assertRoom({ name: 'desk' }), { timeout: 60_000 }).toBeUndefined();
  socket.resume();
  await once(socket, 'close');
  expect(socket.bytesRead).toBeLessThan(long.length);
});
