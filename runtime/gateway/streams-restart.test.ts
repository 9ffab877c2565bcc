import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { gateway } from './fixtures/gateway.ts';

const metronome = {
  type: 'thread-bound',
  threadId: 'pool',
  maxThreads: 2,
  module: fileURLToPath(new URL('../fixtures/metronome.ts', import.meta.url)),
};
const agents = { metronome, starting: { ...metronome, export: 'starting' } };
const byHand = { port: 0, reload: false };

async function opened(agent: keyof typeof agents = 'metronome') {
  const path = `/v1/agents/${agent}/a/stream?only=emitted`;
  const open = await gateway({ gateway: byHand, agents });
  await open.call('PUT', `/v1/agents/${agent}/a`);
  /** Follows the stream as a browser does, over as many connections as it takes. */
  const follower = () => {
    const ticks: number[] = [];
    const gaps: string[] = [];
    const ids: string[] = [];
    const left = new AbortController();
    let [connections, id] = [0, ''];
    const connection = async (): Promise<void> => {
      const headers = {
        authorization: `Bearer ${open.token}`,
        ...(id !== '' && { 'last-event-id': id }),
      };
      const response = await fetch(open.front.url + path, { headers, signal: left.signal });
      connections += 1;
      let text = '';
      for await (const chunk of response.body ?? []) {
        text += new TextDecoder().decode(chunk);
        const events = text.split('\n\n');
        text = events.pop() ?? '';
        for (const event of events) {
          id = /^id: (.+)$/m.exec(event)?.[1] ?? id;
          const n = /"type":"tick","n":(\d+)/.exec(event)?.[1];
          if (n !== undefined) {
            ticks.push(Number(n));
            ids.push(id);
          }
          if (event.includes('event: gap')) gaps.push(event);
        }
      }
    };
    const over = (async () => {
      while (!left.signal.aborted) await connection().catch(() => {});
    })();
    const until = async (n: number): Promise<void> => {
      await expect.poll(() => ticks.at(-1) ?? 0, { timeout: 20_000 }).toBeGreaterThan(n);
    };
    const leave = (): Promise<void> => {
      left.abort();
      return over;
    };
    return { ticks, gaps, ids, until, leave, connections: () => connections, last: () => ticks.at(-1) ?? 0 };
  };
  return { ...open, follower };
}

test('over restarts two clients follow an instance, and no event is missing or comes twice', async () => {
  const { front, follower } = await opened();
  const followers = [follower(), follower()];
  for (const one of followers) await one.until(10);
  for (let n = 0; n < 2; n += 1) {
    expect(await front.restart()).toMatchObject({ instances: 1, lost: [] });
    const reached = Math.max(...followers.map(({ last }) => last()));
    for (const one of followers) await one.until(reached + 10);
  }
  for (const { leave } of followers) await leave();
  for (const { ticks, gaps, ids, connections } of followers) {
    const first = ticks[0] ?? 0;
    expect(ticks).toEqual(ticks.map((_, n) => first + n));
    expect(gaps).toEqual([]);
    expect(connections()).toBeGreaterThanOrEqual(3);
    // One run, whatever process counts.
    expect(new Set(ids.map((id) => id.split('.')[0])).size).toBe(1);
  }
});

test('what an instance emits while it starts in the next process is heard too', async () => {
  const { front, follower } = await opened('starting');
  const one = follower();
  await expect.poll(one.connections).toBe(1);
  for (let n = 2; n <= 3; n += 1) {
    await front.restart();
    await one.until(n - 1);
  }
  await one.leave();
  expect([one.ticks, one.gaps]).toEqual([[2, 3], []]);
});

test('after a crash of the service process a client is told that something is missing', async () => {
  const { front, call, follower } = await opened();
  const one = follower();
  await one.until(10);
  const { servicePid } = front.status();
  process.kill(servicePid ?? 0, 'SIGKILL');
  await expect
    .poll(() => call('PUT', '/v1/agents/metronome/a'), { timeout: 20_000 })
    .toMatchObject({ status: 201 });
  await expect.poll(() => one.gaps.length, { timeout: 20_000 }).toBe(1);
  await expect.poll(() => new Set(one.ids.map((id) => id.split('.')[0])).size, { timeout: 20_000 }).toBe(2);
  await one.leave();
  expect(one.gaps[0]).toContain('{"reason":"reconnected"}');
});
