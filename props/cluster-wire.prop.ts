import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../runtime/fixtures/free-port.ts';
import { Wire } from './cluster-faults/wire.ts';

/** A server that says again what it is told, and a wire to it. */
async function echoing() {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const port = await freePort();
  const wire = await Wire.open(port, { port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  onTestFinished(() => {
    wire.close();
    server.close();
  });
  const line = (from: string) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from });
    let heard = '';
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    socket.on('error', () => {});
    return { say: (text: string) => socket.write(text), heard: () => heard };
  };
  return { wire, line };
}

test.skipIf(process.platform !== 'linux')(
  'a wire that is cut stops what comes from one of two, tells nobody, counts it, and lets it go in order when it is mended',
  async () => {
    const { wire, line } = await echoing();
    const [one, other] = [line('127.0.1.1'), line('127.0.1.2')];
    one.say('a');
    other.say('a');
    await expect.poll(() => one.heard() + other.heard()).toBe('aa');
    wire.cut((from) => from === '127.0.1.1');
    one.say('b');
    await expect.poll(() => wire.held).toBe(1);
    one.say('c');
    other.say('b');
    await expect.poll(() => other.heard()).toBe('ab');
    expect(one.heard()).toBe('a');
    wire.mend();
    await expect.poll(() => one.heard()).toBe('abc');
  },
);
