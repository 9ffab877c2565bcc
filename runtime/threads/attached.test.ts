import { close, open, url } from 'node:inspector';
import { afterEach, expect, test } from 'vitest';
import { debuggerAttached } from './attached.ts';
import { fixture, start } from '../fixtures/start.ts';

const onLinux = process.platform === 'linux';

afterEach(() => close());

test('nobody is attached to an inspector that is closed', () => {
  expect(debuggerAttached()).toBe(false);
});

test.runIf(onLinux)('somebody is attached who is connected to it, and only as long', async () => {
  open(0, '127.0.0.1');
  expect(debuggerAttached()).toBe(false);
  const client = new WebSocket(url() as string);
  await new Promise((resolve) => client.addEventListener('open', resolve));
  expect(debuggerAttached()).toBe(true);
  client.close();
  await expect.poll(debuggerAttached, { timeout: 60_000 }).toBe(false);
});

test.runIf(onLinux)(
  'a thread that hangs is ended while the inspector is open and nobody attached',
  async () => {
    open(0, '127.0.0.1');
    const runtime = await start({
      agents: { stuck: fixture('stuck') },
      threads: { pool: { watchdog: { warnMs: 200, killMs: 1000 } } },
    });
    const stuck = await runtime.spawn('stuck');
    const asked = stuck.ask({ type: 'for ever' }, { timeoutMs: 20_000 });
    await expect(asked).rejects.toMatchObject({ code: 'THREAD_HUNG' });
  },
);
