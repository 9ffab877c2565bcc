import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect, it, onTestFinished, vi } from 'vitest';
import { freePort } from '../fixtures/free-port.ts';
import { systemClock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { otherCertificate } from '../gateway/fixtures/other-certificate.ts';
import { testCertificate } from '../secrets/fixtures/test-certificate.ts';
import { Waiting } from '../mailbox/waiting.ts';
import { assertLinkIsSafe, type ClusterTls } from './link-tls.ts';
import type { Call } from './messages.ts';
import { NodeLink } from './node-link.ts';
import { NodeServer, type NodeServerOptions } from './node-server.ts';

const ours: ClusterTls = { ...testCertificate, ca: testCertificate.cert };
const call: Call = { kind: 'ask', address: 'account/a', value: { type: 'total' } };
const wait = { timeoutMs: 20_000 };
const store = 'one';

/** Node 1 listens; what it is asked goes to `answer`. */
async function serve(
  answer: NodeServerOptions['answer'],
  { tls, port }: { tls?: ClusterTls; port?: number } = {},
): Promise<{ port: number; nudged: string[]; server: NodeServer }> {
  const at = { host: '127.0.0.1', port: port ?? (await freePort()) };
  const nudged: string[] = [];
  const server = new NodeServer({
    at,
    hello: () => ({ holdfast: 1, node: 1, store }),
    tls,
    clock: systemClock,
    answer,
    nudged: (address) => nudged.push(address),
    warn() {},
  });
  await server.listen();
  onTestFinished(() => server.close());
  return { port: at.port, nudged, server };
}

/** Node 0, as it reaches that port. */
function linkTo(
  port: number,
  {
    tls,
    node = 1,
    of = store,
    host = '127.0.0.1',
  }: { tls?: ClusterTls; node?: number; of?: string; host?: string } = {},
): NodeLink {
  const link = new NodeLink({
    node: { node, host, port },
    hello: () => ({ holdfast: 1, node: 0, store: of }),
    tls,
    clock: systemClock,
    silentMs: 60_000,
    waiting: new Waiting(systemClock),
    secretIn: () => undefined,
  });
  onTestFinished(() => link.close(new HoldfastError('RUNTIME_STOPPED', 'the test is over')));
  return link;
}

it('carries calls with all that structured clone takes, and errors with their codes', async () => {
  const asked: Call[] = [];
  const { port } = await serve(async (one) => {
    asked.push(one);
    if (one.kind === 'stop') throw new HoldfastError('AGENT_STOPPED', 'it has ended');
    return { at: new Date(5), n: -0, one: one.value };
  });
  const link = linkTo(port);
  const answer = await link.call({ ...call, value: { type: 'x', set: new Set([1]) } }, wait);
  expect(answer).toEqual({ at: new Date(5), n: -0, one: { type: 'x', set: new Set([1]) } });
  await expect(link.call({ kind: 'stop', address: 'account/a' }, wait)).rejects.toMatchObject({
    name: 'HoldfastError',
    code: 'AGENT_STOPPED',
  });
  expect(asked.map(({ kind }) => kind)).toEqual(['ask', 'stop']);
});

it('between certificates of one authority is encrypted, and no other client has an answer', async () => {
  const answer = vi.fn(async () => 'told');
  const { port } = await serve(answer, { tls: ours });
  expect(await linkTo(port, { tls: ours }).call(call, wait)).toBe('told');
  answer.mockClear();
  const { ca } = ours;
  for (const shown of [{ ca }, { ca, ...otherCertificate }]) {
    const socket = connectTls({ host: '127.0.0.1', port, ...shown });
    socket.on('error', () => {});
    const said: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => said.push(chunk));
    socket.write(
      `${JSON.stringify({ holdfast: 1, node: 0, store })}\n${JSON.stringify({ q: 1, ...call, value: '{}' })}\n`,
    );
    await new Promise((resolve) => void socket.once('close', resolve));
    expect(Buffer.concat(said).toString()).toBe('');
  }
  const plain = linkTo(port);
  await expect(plain.call(call, { timeoutMs: 500 })).rejects.toMatchObject({ code: 'NODE_UNREACHABLE' });
  expect(answer).not.toHaveBeenCalled();
});

it('says nothing to a node whose certificate another has signed', async () => {
  const answer = vi.fn(async () => 'told');
  const { port } = await serve(answer, { tls: { ...otherCertificate, ca: testCertificate.cert } });
  const asking = linkTo(port, { tls: ours }).call(call, { timeoutMs: 500 });
  await expect(asking).rejects.toMatchObject({
    code: 'NODE_UNREACHABLE',
    message: expect.stringContaining('not sent'),
  });
  expect(answer).not.toHaveBeenCalled();
});

it.each([
  ['another store', { of: 'two' }, 'another store'],
  ['another number', { node: 2 }, 'it is node 1'],
])('asks nothing of a node with %s', async (_what, given, said) => {
  const answer = vi.fn(async () => 'told');
  const { port } = await serve(answer);
  await expect(linkTo(port, given).call(call, { timeoutMs: 500 })).rejects.toMatchObject({
    code: 'NODE_UNREACHABLE',
    message: expect.stringContaining(said),
  });
  expect(answer).not.toHaveBeenCalled();
});

it('ends a connection that does not speak as a node does', async () => {
  const answer = vi.fn(async () => 'told');
  const { port } = await serve(answer);
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => {}).resume();
  socket.write(
    `POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n${JSON.stringify({ q: 1, ...call, value: '{}' })}\n`,
  );
  await once(socket, 'close');
  expect(answer).not.toHaveBeenCalled();
});

it('sends again what has an id when its connection ends, and ends what has none', async () => {
  const seen: string[] = [];
  let came = (): void => {};
  const both = new Promise<void>((resolve) => (came = resolve));
  const { port, server } = await serve(async ({ address }) => {
    seen.push(address);
    if (seen.length === 2) came();
    return new Promise(() => {});
  });
  const link = linkTo(port);
  const plain = link.call(call, wait).catch((error: unknown) => error);
  const named = link.call({ ...call, address: 'account/b', id: 'x' }, wait);
  await both;
  await server.close();
  expect(await plain).toMatchObject({
    code: 'NODE_UNREACHABLE',
    message: expect.stringContaining('nobody knows'),
  });
  await serve(async ({ id }) => `again ${id}`, { port });
  expect(await named).toBe('again x');
  expect(seen).toEqual(['account/a', 'account/b']);
});

it('waits for a node that is not there yet as long as there is time, and says then that nothing was sent', async () => {
  const port = await freePort();
  const link = linkTo(port);
  await expect(link.call(call, { timeoutMs: 100 })).rejects.toMatchObject({
    code: 'NODE_UNREACHABLE',
    message: expect.stringContaining('it was not sent'),
  });
  const waiting = link.call(call, wait);
  link.nudge('account/z');
  const { nudged } = await serve(async () => [...nudged], { port });
  expect(await waiting).toEqual(['account/z']);
});

it('ends with its deadline and its signal a call that has not had its turn, which then never leaves', async () => {
  const asked: string[] = [];
  const { port } = await serve(async ({ address }) => void asked.push(address));
  const link = linkTo(port);
  await link.call({ ...call, address: 'account/first' }, wait);
  const turns: (() => void)[] = [];
  const turn = (begin: () => void): void => void turns.push(begin);
  await expect(link.call(call, { timeoutMs: 50, turn })).rejects.toMatchObject({ code: 'ASK_TIMEOUT' });
  const controller = new AbortController();
  const aborted = link.call(call, { ...wait, turn, signal: controller.signal });
  controller.abort(new Error('given up'));
  await expect(aborted).rejects.toThrow('given up');
  const patient = link.call({ ...call, address: 'account/last' }, { ...wait, turn });
  for (const begin of turns) begin();
  await patient;
  expect(asked).toEqual(['account/first', 'account/last']);
});

it('has nobody wait for the place of a call on a node that is not there', async () => {
  const placed: Call = { kind: 'placed', address: 'account/a' };
  const link = linkTo(await freePort());
  const asked = link.call({ ...call, id: 'x' }, wait).catch((error: unknown) => error);
  const gone = { code: 'NODE_UNREACHABLE' };
  await expect(link.call(placed, wait)).rejects.toMatchObject(gone);
  await expect(link.call(placed, wait)).rejects.toMatchObject(gone);
  link.close(new HoldfastError('RUNTIME_STOPPED', 'the test is over'));
  expect(await asked).toMatchObject({ code: 'RUNTIME_STOPPED' });
});

it('has nobody work on what nobody waits for', async () => {
  const ended: Promise<unknown>[] = [];
  let came = (): void => {};
  const { port } = await serve((_call, { signal, timeoutMs }) => {
    expect(timeoutMs).toBeLessThanOrEqual(wait.timeoutMs);
    ended.push(once(signal, 'abort'));
    came();
    return new Promise(() => {});
  });
  const link = linkTo(port);
  const begun = new Promise<void>((resolve) => (came = resolve));
  const controller = new AbortController();
  const aborted = link.call(call, { ...wait, signal: controller.signal });
  await begun;
  controller.abort(new Error('given up'));
  await expect(aborted).rejects.toThrow('given up');
  await ended[0];
  await expect(link.call(call, { timeoutMs: 100 })).rejects.toMatchObject({ code: 'ASK_TIMEOUT' });
  await ended[1];
});

it('connects to no other machine without tls, whoever names one', async () => {
  await expect(linkTo(7700, { host: '192.0.2.1' }).call(call, { timeoutMs: 50 })).rejects.toMatchObject({
    code: 'NODE_UNREACHABLE',
    message: expect.stringContaining('this node has no tls'),
  });
});

it('is plain on loopback alone', () => {
  for (const host of ['127.0.0.1', '127.8.0.1', '::1', 'localhost']) assertLinkIsSafe([host], undefined);
  for (const host of ['10.0.0.5', '0.0.0.0', '127.evil.test', 'localhost.test', '::'])
    expect(() => assertLinkIsSafe([host], undefined)).toThrow(
      expect.objectContaining({ code: 'CLUSTER_PLAIN' }),
    );
  assertLinkIsSafe(['10.0.0.5'], ours);
});
