import { expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { loadConfig } from '../config/load.ts';
import type { ResolvedPool } from '../config/resolve.ts';
import { fixture } from '../fixtures/start.ts';
import { poolContext, startSupervisor } from './supervision.ts';

test('when a worker cannot be made, those who should have run on it are told and the place is free', async () => {
  const { pools } = await loadConfig({ agents: { counter: fixture('counter', { maxThreads: 1 }) } });
  const told = Promise.withResolvers<[string, unknown]>();
  const none = (): void => {};
  const supervisor = startSupervisor(
    pools,
    {
      poolOf: () => pools[0] as ResolvedPool,
      clock: systemClock,
      startThread() {
        throw new Error('no thread today');
      },
    },
    {
      unplaced: (address, error) => told.resolve([address, error]),
      restarting: none,
      ending: none,
      'giving-up': none,
      pausing: none,
      stopping: none,
      refused: none,
      exhausted: none,
      kept: none,
    },
  );
  supervisor.send({ type: 'instance.place', address: 'counter/1', threadId: 'pool' });
  expect(await told.promise).toEqual(['counter/1', new Error('no thread today')]);
  expect(poolContext(supervisor, 'pool')).toMatchObject({ threads: [], ended: { error: 1 } });
  supervisor.stop();
});
