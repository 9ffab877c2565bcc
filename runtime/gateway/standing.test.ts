import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { gateway } from './fixtures/gateway.ts';

const bound = { type: 'thread-bound', threadId: 'pool', maxThreads: 2 };
const counter = {
  ...bound,
  module: fileURLToPath(new URL('../fixtures/counter.ts', import.meta.url)),
};
const read = { type: 'read' };

/** A gateway whose log is read by its fields. */
async function opened(agents: object) {
  const lines: { fields: object; message: string }[] = [];
  const add = (fields: object, message: string): void => void lines.push({ fields, message });
  const logger = { debug() {}, info: add, warn: add, error: add };
  const open = await gateway({ agents }, { logger });
  const { call, front } = open;
  const ask = async (address: string, event: object = read): Promise<unknown> => {
    const { status, body } = await call('POST', `/v1/agents/${address}/ask`, event);
    return status === 200 ? (body as { reply: unknown }).reply : status;
  };
  const inc = (address: string, query = ''): Promise<unknown> =>
    call('POST', `/v1/agents/${address}/events?wait=handled${query}`, { type: 'inc' });
  /** Ends the service as a crash does; resolves when the next one serves. */
  const crash = async (): Promise<void> => {
    const { servicePid, restarts } = front.status();
    process.kill(servicePid as number, 'SIGKILL');
    await expect.poll(() => front.status().restarts, { timeout: 60_000 }).toBe(restarts + 1);
  };
  const told = (part: string): object[] =>
    lines.filter(({ message }) => message.includes(part)).map(({ fields }) => fields);
  return { ...open, ask, inc, crash, told };
}

describe('instances that the config lists', { timeout: 60_000 }, () => {
  test('are there when a gateway serves, keep their states over a restart, and begin anew after a crash', async () => {
    const instances = ['a', { id: 'b', input: { start: 40 } }];
    const { ask, inc, crash, call, front, told } = await opened({ counter: { ...counter, instances } });
    expect([await ask('counter/a'), await ask('counter/b')]).toEqual([0, 40]);
    await inc('counter/b');
    await inc('counter/c', '&activate=true');
    await call('DELETE', '/v1/agents/counter/a');
    expect(await ask('counter/a')).toBe(404);
    // One that somebody has stopped is there again; the others go on.
    expect(await front.restart()).toMatchObject({ instances: 2, lost: [] });
    expect([await ask('counter/a'), await ask('counter/b'), await ask('counter/c')]).toEqual([0, 41, 1]);

    await expect.poll(() => front.status().instances).toBe(3);
    await crash();
    expect([await ask('counter/a'), await ask('counter/b'), await ask('counter/c')]).toEqual([0, 40, 404]);
    expect(told('ended with the process that')).toEqual([{ count: 1, instances: ['counter/c'] }]);
    expect(told('they are started again')).toEqual([{ instances: ['counter/b', 'counter/a'] }]);
  });

  test('begin anew with their inputs at a restart that has no state of them', async () => {
    const supervision = { intensity: { restarts: 0, withinMs: 60_000 } };
    const instances = [{ id: 'b', input: { start: 40 } }];
    const { ask, call, front } = await opened({ counter: { ...counter, supervision, instances } });
    await call('POST', '/v1/agents/counter/b/events?wait=handled', { type: 'fail' });
    await expect.poll(() => ask('counter/b')).toBe(409);
    expect(await front.restart()).toMatchObject({ lost: [{ address: 'counter/b' }] });
    expect(await ask('counter/b')).toBe(40);
  });

  test('are started when they are added, and go on when they are taken out', async () => {
    const { ask, inc, front, write } = await opened({ counter: { ...counter, instances: ['a'] } });
    await inc('counter/a');
    await write({
      agents: { counter: { ...counter, instances: ['b'] } },
      gateway: { port: 0, reload: false },
    });
    expect(await front.reload()).toBe('restarted');
    expect([await ask('counter/a'), await ask('counter/b')]).toEqual([1, 0]);
  });

  test('keep a gateway from starting when one does not start, and no restart', async () => {
    const broken = {
      ...bound,
      module: fileURLToPath(new URL('../fixtures/failing-start.ts', import.meta.url)),
      instances: ['x'],
    };
    await expect(gateway({ agents: { broken } })).rejects.toMatchObject({
      code: 'AGENT_START_FAILED',
      message: expect.stringContaining('broken/x: SyntaxError: cannot begin') as string,
    });

    const { ask, inc, front, write, log } = await opened({ counter: { ...counter, instances: ['a'] } });
    await inc('counter/a');
    const agents = { broken, counter: { ...counter, instances: ['a', 'b'] } };
    await write({ agents, gateway: { port: 0, reload: false } });
    expect(await front.restart()).toMatchObject({
      lost: [{ address: 'broken/x', why: 'cannot begin' }],
    });
    expect([await ask('counter/a'), await ask('counter/b')]).toEqual([1, 0]);
    expect(log.join('')).toMatch(/could not be started; fix it, then start it: .*"address":"broken\/x"/);
  });
});

describe('a service process that dies', { timeout: 60_000 }, () => {
  test('is told with how many instances are gone, and the names of a thousand; without, when it had none', async () => {
    const { call, front, crash, told } = await opened({ counter });
    await crash();
    expect([told('ended with the process that'), told('they are started again')]).toEqual([[], []]);
    const ids = Array.from({ length: 1010 }, (_, n) => String(n));
    for (let n = 0; n < ids.length; n += 101) {
      await Promise.all(ids.slice(n, n + 101).map((id) => call('PUT', `/v1/agents/counter/${id}`)));
    }
    await Promise.all(['3', '4'].map((id) => call('DELETE', `/v1/agents/counter/${id}`)));
    await expect.poll(() => front.status().instances, { timeout: 60_000 }).toBe(1008);
    await crash();
    const [gone] = told('ended with the process that') as { count: number; instances: string[] }[];
    expect(gone).toMatchObject({ count: 1008 });
    expect(gone?.instances).toHaveLength(998);
    expect(gone?.instances).not.toContain('counter/3');
  });
});
