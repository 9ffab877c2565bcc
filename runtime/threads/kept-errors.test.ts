import { queryObjects } from 'node:v8';
import { expect, test } from 'vitest';
import { fixture, start } from '../fixtures/start.ts';
import { ThreadHost } from './thread-host.ts';

const count = (): number => queryObjects(ThreadHost, { format: 'count' });

test('a thread that has ended is not held by an instance that is quarantined since', async () => {
  const before = count();
  const supervision = { intensity: { restarts: 0, withinMs: 60_000 } };
  const runtime = await start({ agents: { process: fixture('process', { supervision }) } });
  const ref = await runtime.spawn('process', { id: 'a' });
  ref.send({ type: 'throw.later' });
  await expect.poll(() => runtime.status().instances).toMatchObject([{ state: 'quarantined' }]);
  const other = await runtime.spawn('process', { id: 'b' });
  await other.deliver({ type: 'note', n: 1 });
  await expect.poll(() => count() - before).toBe(1);
});
