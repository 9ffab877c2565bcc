import { expect, test } from 'vitest';
import { whyUnready } from './why-unready.ts';

test('a gateway that is not ready says all of why, as far as the caller may know it', () => {
  expect(whyUnready({})).toBe('not ready');
  expect(whyUnready({ state: 'running', eventLoop: { p99Ms: 0, ok: true }, closedPools: [] })).toBe(
    'not ready',
  );
  const error = { code: 'STORE_FAILED', message: 'the store has no room' };
  expect(
    whyUnready({
      paused: true,
      state: 'stopping',
      store: { state: 'failing', error, waiting: 1, agents: [] },
      cluster: { node: 2, partitions: 0, unreachable: [] },
      eventLoop: { p99Ms: 1200, ok: false },
      closedPools: ['desks'],
    }),
  ).toBe(
    [
      'not ready',
      'paused: agents handle nothing until holdfast gateway resume',
      'the runtime is stopping',
      'the store is failing: the store has no room',
      'node 2 has no partitions: other nodes have them',
      'its event loop is 1200 ms late',
      'the pool desks starts no threads',
    ].join('\n  '),
  );
});
