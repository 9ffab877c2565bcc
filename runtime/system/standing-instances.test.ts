import { describe, expect, test } from 'vitest';
import { createRuntime, type AgentConfig, type HoldfastError, type RuntimeEvents } from 'holdfast';
import { fixture, nextEvent, start } from '../fixtures/start.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** What a start with these agents rejects with. */
async function failure(agents: Record<string, AgentConfig>): Promise<HoldfastError> {
  return (await createRuntime({ agents }, { logger: silent }).then(
    async (runtime) => {
      await runtime.stop();
      throw new Error('it started');
    },
    (error: unknown) => error,
  )) as HoldfastError;
}

describe('instances that the config lists', () => {
  test('run when the runtime is there, in the order of the list and with their inputs', async () => {
    const runtime = await start({
      agents: {
        desk: fixture('counter', { instances: ['b', { id: 'a c', input: { start: 40 } }] }),
        other: fixture('counter', { instances: [] }),
      },
    });
    const instances = runtime.status().instances.map(({ address, state }) => [address, state]);
    expect(instances).toEqual([
      ['desk/b', 'running'],
      ['desk/a%20c', 'running'],
    ]);
    expect(await runtime.get('desk/a%20c')?.ask({ type: 'read' })).toBe(40);
    expect(await runtime.getOrSpawn('desk', 'b')).toBe(runtime.get('desk/b'));
  });

  test('are ended by done and by stop, as others are, and restarted by their supervision', async () => {
    const backoff = { minMs: 1, maxMs: 1, factor: 1, jitter: 0 };
    const runtime = await start({
      agents: { desk: fixture('counter', { instances: ['a', 'b', 'c'], supervision: { backoff } }) },
    });
    const ended = (address: string, state: string): Promise<unknown> =>
      nextEvent<RuntimeEvents['agent']>(
        (listener) => runtime.on('agent', listener),
        (event) => event.address === address && event.state === state,
      );
    const all = [ended('desk/a', 'ended'), ended('desk/b', 'ended'), ended('desk/c', 'running')];
    runtime.get('desk/a')?.send({ type: 'finish' });
    await runtime.get('desk/b')?.stop();
    runtime.get('desk/c')?.send({ type: 'fail' });
    await Promise.all(all);
    expect(runtime.status().instances).toMatchObject([{ address: 'desk/c', incarnation: 2 }]);
  });

  test('fail the start when one of them does not start, and all that did not are told', async () => {
    const error = await failure({
      fine: fixture('counter', { instances: ['a'] }),
      broken: fixture('failing-start', { instances: ['a', 'b'] }),
      odd: fixture('counter', { instances: [{ id: 'a', input: { start: () => 1 } }] }),
    });
    expect(error).toMatchObject({ name: 'HoldfastError', code: 'AGENT_START_FAILED' });
    const reasons = error.message.split('\n').slice(1);
    expect(reasons.toSorted()).toEqual([
      '  broken/a: SyntaxError: cannot begin',
      '  broken/b: SyntaxError: cannot begin',
      expect.stringMatching(/^ {2}odd\/a: MESSAGE_UNCLONABLE: /),
    ]);
    expect((error.cause as AggregateError).errors).toHaveLength(3);
  });

  test('that hang as they start fail it in time', async () => {
    const error = await createRuntime(
      {
        agents: { slow: fixture('never-loaded', { instances: ['a'] }) },
        threads: { pool: { startTimeoutMs: 2000 } },
      },
      { logger: silent },
    ).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'AGENT_START_FAILED',
      message: expect.stringContaining('slow/a: THREAD_START_TIMEOUT') as string,
    });
  });
});
