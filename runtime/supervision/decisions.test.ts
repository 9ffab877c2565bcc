import { describe, expect, test } from 'vitest';
import type { ResolvedPool } from '../config/resolve.ts';
import { LoneInstance, lonelyAgent } from '../instance/fixtures/lone-instance.ts';
import { EventHub, type RuntimeEvents } from '../telling/runtime-events.ts';
import { lonelyPool } from '../threads/fixtures/lone-thread.ts';
import { decisions } from './decisions.ts';

const failure = new Error('it failed');

/** Two instances, `agent/a` and `agent/b`, and who hears of what the supervisor decided. */
function rig(openGrants: () => void = () => {}) {
  const told: string[] = [];
  const [a, b] = ['a', 'b'].map((id) => new LoneInstance({ id, agent: lonelyAgent(), told })) as [
    LoneInstance,
    LoneInstance,
  ];
  const logged: string[] = [];
  const log = (_fields: object, message: string): void => void logged.push(message);
  const logger = { debug: log, info: log, warn: log, error: log };
  const hub = new EventHub(logger, { scrub: (found) => found });
  const escalations: RuntimeEvents['escalation'][] = [];
  hub.on('escalation', (escalation) => escalations.push(escalation));
  const pool: ResolvedPool = lonelyPool();
  const decide = decisions({
    instanceAt: (address) => [a, b].find(({ instance }) => instance.address === address)?.instance,
    poolOf: () => pool,
    unvisited: () => {},
    openGrants: ({ incarnation }) => {
      told.push(`grants of ${incarnation}`);
      openGrants();
    },
    kept: (threadId, n) => told.push(`kept ${threadId} ${n}`),
    hub,
    logger,
  });
  return { a, b, decide, told, logged, escalations };
}

/** It runs, and has failed. */
function failed(lone: LoneInstance): void {
  lone.run();
  lone.instance.failed(failure);
}

describe('what the supervisor has decided', () => {
  test('is done by the instance: the next incarnation has its grants, and takes a place', () => {
    const { a, decide, told } = rig();
    failed(a);
    told.length = 0;
    decide.restarting({ type: 'restarting', address: 'agent/a' });
    expect([a.instance.incarnation, told, a.place()]).toEqual([2, ['grants of 2'], true]);
  });

  test('of an instance that is gone, is done by nobody', () => {
    const { decide, told, logged } = rig();
    const address = 'agent/nobody';
    decide.restarting({ type: 'restarting', address });
    decide.ending({ type: 'ending', address });
    decide.pausing({ type: 'pausing', address });
    decide.stopping({ type: 'stopping', address });
    decide['giving-up']({ type: 'giving-up', address });
    expect([told, logged]).toEqual([[], []]);
  });

  test('and cannot be done, ends that instance, and nobody else', () => {
    const { a, b, decide, logged } = rig(() => {
      throw new Error('no grants today');
    });
    b.run();
    failed(a);
    decide.restarting({ type: 'restarting', address: 'agent/a' });
    expect([a.instance.phase, b.instance.phase]).toEqual(['ended', 'running']);
    expect(logged).toHaveLength(1);
  });

  test('that it ends, is told to its twin as it ended', () => {
    const { a, decide } = rig();
    failed(a);
    decide.ending({ type: 'ending', address: 'agent/a' });
    expect(a.twin.heard).toMatchObject([{ type: 'holdfast.failed', error: failure }]);
  });

  test('that it failed too often, is told once of a whole group, and says who was to blame', () => {
    const { a, b, decide, escalations } = rig();
    for (const lone of [a, b]) failed(lone);
    decide['giving-up']({ type: 'giving-up', address: 'agent/a' });
    decide['giving-up']({ type: 'giving-up', address: 'agent/b', because: 'agent/a' });
    expect(escalations).toMatchObject([
      { kind: 'instance', address: 'agent/a', error: { code: 'AGENT_QUARANTINED', cause: failure } },
    ]);
    expect(b.instance.quarantine).toMatchObject({ cause: failure, evidence: { because: 'agent/a' } });
  });

  test('of a pool without a thread, refuses who waits for one, and does not touch who has one', async () => {
    const { a, b, decide } = rig();
    b.run();
    for (const address of ['agent/a', 'agent/b'])
      decide.refused({ type: 'refused', address, threadId: 'pool', why: 'full', strikes: [] });
    await expect(a.instance.started).rejects.toMatchObject({ code: 'POOL_EXHAUSTED' });
    expect(b.instance.phase).toBe('running');
  });

  test('for a thread that cannot even be made, is the end of who should have started there', async () => {
    const { a, decide } = rig();
    a.place();
    decide.unplaced(
      'agent/a',
      Object.assign(new Error('bad option'), { code: 'ERR_WORKER_INVALID_EXEC_ARGV' }),
    );
    await expect(a.instance.started).rejects.toMatchObject({ code: 'ISOLATION_UNAVAILABLE' });
  });
});
