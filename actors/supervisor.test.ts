import fc from 'fast-check';
import { createActor, sendParent, setup, SimulatedClock } from 'xstate';
import { describe, expect, test } from 'vitest';
import type { PlacementRule } from './placement.ts';
import type { poolMachine, PoolReport } from './pool.ts';
import type { PoolInput } from './pool-plan.ts';
import { decideRestart, type FailureHistory, type Failure, type RestartPolicy } from './restart-policy.ts';
import { poolActor, supervisorMachine } from './supervisor.ts';

type FakePoolEvent =
  | { readonly type: 'place'; readonly address: string; readonly placement?: PlacementRule }
  | { readonly type: 'release'; readonly n: number }
  | { readonly type: 'escalation'; readonly address: string }
  | { readonly type: 'tell'; readonly report: PoolReport }
  | { readonly type: 'stop' | 'close' | 'break' };

const policy = (change: Partial<RestartPolicy> = {}): RestartPolicy => ({
  restart: 'permanent',
  intensity: { restarts: 2, withinMs: 1_000 },
  backoff: { minMs: 100, maxMs: 400, factor: 2, jitter: 0.2 },
  ...change,
});

/** A supervisor over fake pools. The log tells what it decided and what its pools heard, in order. */
function startSupervisor(threadIds: readonly string[] = ['p', 'q']) {
  const clock = new SimulatedClock();
  const log: string[] = [];
  const fakePool = setup({
    types: { input: {} as PoolInput, context: {} as PoolInput, events: {} as FakePoolEvent },
  }).createMachine({
    context: ({ input }) => input,
    entry: ({ context }) => log.push(`${context.threadId} starts`),
    initial: 'open',
    on: {
      place: {
        actions: ({ context, event: { address, placement } }) =>
          log.push(`${context.threadId} place ${address}${placement ? ` ${JSON.stringify(placement)}` : ''}`),
      },
      release: { actions: ({ context, event }) => log.push(`${context.threadId} release ${event.n}`) },
      escalation: {
        actions: ({ context, event }) => log.push(`${context.threadId} escalation ${event.address}`),
      },
      tell: { actions: sendParent(({ event }) => event.report) },
      stop: { actions: ({ context }) => log.push(`${context.threadId} stop`) },
      close: '.closed',
      break: {
        actions: () => {
          throw new Error('broken pool');
        },
      },
    },
    states: {
      open: {},
      closed: {
        type: 'final',
        entry: sendParent(({ context: { threadId } }) => ({ type: 'pool.closed', threadId })),
      },
    },
  });
  const machine = supervisorMachine.provide({ actors: { pool: fakePool as unknown as typeof poolMachine } });
  const limits = {
    maxThreads: 1,
    minThreads: 0,
    idleTimeoutMs: 1,
    startTimeoutMs: 1,
    intensity: { restarts: 3, withinMs: 60_000 },
  };
  const input = { pools: threadIds.map((threadId) => ({ threadId, ...limits })) };
  const supervisor = createActor(machine, { clock, input });
  supervisor.on('restarting', ({ address }) => log.push(`restarting ${address}`));
  supervisor.on('ending', ({ address }) => log.push(`ending ${address}`));
  supervisor.on('giving-up', ({ address, because }) =>
    log.push(`giving up ${address}${because === undefined ? '' : ` because of ${because}`}`),
  );
  supervisor.on('pausing', ({ address }) => log.push(`pausing ${address}`));
  supervisor.on('stopping', ({ address }) => log.push(`stopping ${address}`));
  supervisor.start();
  const pool = (threadId: string) =>
    (supervisor.getSnapshot().children as Record<string, unknown>)[poolActor(threadId)] as {
      send(event: FakePoolEvent): void;
    };
  const fail = (
    address: string,
    rules: RestartPolicy = policy(),
    reason: Failure['reason'] = 'failed',
    group?: string,
  ) => {
    const at = clock.now();
    supervisor.send({
      type: 'instance.failed',
      address,
      threadId: address[0] as string,
      reason,
      policy: rules,
      at,
      random: 0,
      group,
    });
  };
  const forget = (address: string): void => supervisor.send({ type: 'instance.forget', address });
  const heard = (): string[] => log.splice(0);
  const after = (ms: number): string[] => {
    clock.increment(ms);
    return heard();
  };
  heard();
  return { supervisor, clock, log, pool, fail, forget, heard, after };
}

describe('the supervisor', () => {
  test('starts every pool under its name, and passes placements and releases to the right one', () => {
    const { supervisor, heard } = startSupervisor();
    expect(Object.keys(supervisor.getSnapshot().children)).toEqual(['pool:p', 'pool:q']);
    supervisor.send({ type: 'instance.place', address: 'q/1', threadId: 'q' });
    supervisor.send({ type: 'instance.release', threadId: 'p', n: 3 });
    expect(heard()).toEqual(['q place q/1', 'p release 3']);
  });

  test('restarts a failed instance after its backoff, in its own pool only', () => {
    const { supervisor, fail, heard, after } = startSupervisor();
    fail('p/1');
    expect([heard(), after(99), after(1)]).toEqual([[], [], ['restarting p/1', 'p place p/1']]);
    expect([after(100_000), supervisor.getSnapshot().context.restarts]).toEqual([[], 1]);
  });

  test('waits longer for each failure in a row, and per instance', () => {
    const { fail, after } = startSupervisor();
    fail('p/1');
    after(100);
    fail('p/1');
    fail('p/2');
    expect(after(100)).toEqual(['restarting p/2', 'p place p/2']);
    expect(after(100)).toEqual(['restarting p/1', 'p place p/1']);
  });

  test('gives an instance up that fails again after as many restarts as it has', () => {
    const { fail, heard, after } = startSupervisor();
    for (let life = 0; life < 2; life += 1) {
      fail('p/1');
      after(400);
    }
    fail('p/1');
    expect([heard(), after(100_000)]).toEqual([['giving up p/1', 'p escalation p/1'], []]);
  });

  test('gives up one whose state is unfit at once, and without an escalation one whose record is damaged, or that was given up before', () => {
    const { supervisor, fail, heard } = startSupervisor();
    fail('p/1', policy({ restart: 'temporary' }), 'unfit');
    expect(heard()).toEqual(['giving up p/1', 'p escalation p/1']);
    fail('p/4', policy(), 'damaged');
    expect(heard()).toEqual(['giving up p/4']);
    fail('p/2', policy(), 'quarantined');
    expect(heard()).toEqual(['giving up p/2']);
    fail('p/3', policy({ strategy: 'all-for-one' }), 'quarantined', 'p');
    expect(heard()).toEqual(['giving up p/3']);
    supervisor.send({ type: 'instance.resume', address: 'p/3', threadId: 'p', group: 'p' });
    expect(heard()).toEqual(['restarting p/3', 'p place p/3']);
  });

  test('begins anew with a quarantined one at once, and nothing is held against it', () => {
    const { supervisor, fail, heard, after } = startSupervisor();
    const rules = policy({ intensity: { restarts: 0, withinMs: 1_000 } });
    fail('p/1', rules);
    expect(heard()).toEqual(['giving up p/1', 'p escalation p/1']);
    supervisor.send({ type: 'instance.resume', address: 'p/1', threadId: 'p' });
    expect([heard(), supervisor.getSnapshot().context.failures.keys()]).toEqual([
      ['restarting p/1', 'p place p/1'],
      [],
    ]);
    fail('p/1');
    expect(after(100)).toEqual(['restarting p/1', 'p place p/1']);
  });

  test.each([
    ['temporary', 'failed'],
    ['transient', 'done'],
  ] as const)('lets a %s instance that is %s end', (restart, reason) => {
    const { fail, heard, after } = startSupervisor();
    fail('p/1', policy({ restart }), reason);
    expect([heard(), after(100_000)]).toEqual([['ending p/1'], []]);
  });

  test('a forgotten instance is not restarted, and starts with a clean slate when it comes back', () => {
    const { supervisor, fail, forget, after } = startSupervisor();
    fail('p/1', policy({ intensity: { restarts: 1, withinMs: 10_000 } }));
    fail('p/2');
    forget('p/1');
    forget('p/unknown');
    expect(after(1_000)).toEqual(['restarting p/2', 'p place p/2']);
    expect(supervisor.getSnapshot().context.failures.keys()).toEqual(['p/2']);
    fail('p/1', policy({ intensity: { restarts: 1, withinMs: 10_000 } }));
    expect(after(100)).toEqual(['restarting p/1', 'p place p/1']);
  });

  test.each(['xstate.error.actor.pool:p', 'xstate.error.actor.p/an.address.with.dots'] as const)(
    'outlives %s',
    (type) => {
      const { supervisor, fail, after } = startSupervisor();
      supervisor.send({ type, error: new Error('boom') });
      fail('q/1');
      expect([supervisor.getSnapshot().status, after(100)]).toEqual([
        'active',
        ['restarting q/1', 'q place q/1'],
      ]);
    },
  );

  test('outlives a pool that breaks, and the other pools hear nothing of it', () => {
    const { supervisor, pool, heard } = startSupervisor();
    pool('p').send({ type: 'break' });
    expect([supervisor.getSnapshot().status, heard()]).toEqual(['active', []]);
    supervisor.send({ type: 'instance.place', address: 'q/1', threadId: 'q' });
    expect(heard()).toEqual(['q place q/1']);
  });

  test('passes on whom a pool refused, and that it starts no more threads', () => {
    const { supervisor, pool } = startSupervisor();
    const told: unknown[] = [];
    supervisor.on('refused', (event) => told.push(event));
    supervisor.on('exhausted', (event) => told.push(event));
    const strikes = [{ kind: 'escalation', address: 'p/1' }] as const;
    const refusal = { threadId: 'p', address: 'p/2', why: 'full', strikes } as const;
    const report = { threadId: 'p', strikes, intensity: { restarts: 0, withinMs: 1 } };
    pool('p').send({ type: 'tell', report: { type: 'pool.refused', ...refusal } });
    pool('p').send({ type: 'tell', report: { type: 'pool.exhausted', ...report } });
    expect(told).toEqual([
      { type: 'refused', ...refusal },
      { type: 'exhausted', ...report },
    ]);
  });

  test('a restarted instance goes where it wants to be', () => {
    const { supervisor, after } = startSupervisor();
    const placement = { kind: 'key', key: '1' } as const;
    supervisor.send({
      type: 'instance.failed',
      address: 'p/1',
      threadId: 'p',
      placement,
      reason: 'failed',
      policy: policy(),
      at: 0,
      random: 0,
    });
    expect(after(100)).toEqual(['restarting p/1', 'p place p/1 {"kind":"key","key":"1"}']);
  });

  test('stops its pools and ends when the last of them has closed', () => {
    const { supervisor, pool, heard } = startSupervisor();
    supervisor.send({ type: 'stop' });
    expect(heard()).toEqual(['p stop', 'q stop']);
    pool('q').send({ type: 'close' });
    expect([supervisor.getSnapshot().status, supervisor.getSnapshot().context.open]).toEqual([
      'active',
      ['p'],
    ]);
    pool('p').send({ type: 'close' });
    expect(supervisor.getSnapshot().status).toBe('done');
  });

  test('without pools it ends as soon as it stops', () => {
    const { supervisor } = startSupervisor([]);
    supervisor.send({ type: 'stop' });
    expect(supervisor.getSnapshot().status).toBe('done');
  });

  test('while it stops nothing is restarted or placed, but places are still given back', () => {
    const { supervisor, fail, heard, after } = startSupervisor();
    fail('p/1');
    supervisor.send({ type: 'stop' });
    heard();
    fail('q/1');
    supervisor.send({ type: 'instance.place', address: 'q/2', threadId: 'q' });
    supervisor.send({ type: 'instance.release', threadId: 'q', n: 1 });
    expect([heard(), after(100_000)]).toEqual([['q release 1'], []]);
  });
});

describe('the supervisor of a group', () => {
  const rules = policy({ strategy: 'all-for-one' });

  function startGroup(addresses: readonly string[], given: RestartPolicy = rules) {
    const rig = startSupervisor();
    const { supervisor } = rig;
    const event = (address: string) => ({ address, threadId: address[0] as string, group: 'g' });
    const run = (address: string): void =>
      supervisor.send({ type: 'instance.running', ...event(address), temporary: false });
    const fail = (address: string): void =>
      supervisor.send({
        type: 'instance.failed',
        ...event(address),
        reason: 'failed',
        policy: given,
        at: rig.clock.now(),
        random: 0,
      });
    const down = (address: string): void => supervisor.send({ type: 'instance.down', address, group: 'g' });
    const tell = (type: 'instance.resume' | 'instance.forget', address: string): void =>
      supervisor.send({ type, ...event(address) });
    for (const address of addresses) run(address);
    return { ...rig, run, fail, down, tell };
  }

  test('has the others end in reverse order, and all begin in order after the backoff, as the one before runs', () => {
    const { fail, down, run, heard, after, supervisor } = startGroup(['p/1', 'q/1', 'p/2']);
    fail('q/1');
    expect(heard()).toEqual(['pausing p/2', 'pausing p/1']);
    down('p/2');
    down('p/1');
    expect([after(99), after(1)]).toEqual([[], ['restarting p/1', 'p place p/1']]);
    run('p/1');
    expect(heard()).toEqual(['restarting q/1', 'q place q/1']);
    run('q/1');
    run('p/2');
    expect([heard(), after(100_000), supervisor.getSnapshot().context.restarts]).toEqual([
      ['restarting p/2', 'p place p/2'],
      [],
      3,
    ]);
  });

  test('gives all of it up when it failed too often, which counts once against the pool, and resumes all', () => {
    const { fail, down, run, tell, heard } = startGroup(
      ['p/1', 'p/2'],
      policy({ strategy: 'all-for-one', intensity: { restarts: 0, withinMs: 1_000 } }),
    );
    fail('p/1');
    expect(heard()).toEqual(['giving up p/1', 'p escalation p/1', 'giving up p/2 because of p/1']);
    down('p/2');
    tell('instance.resume', 'p/2');
    expect(heard()).toEqual(['restarting p/1', 'p place p/1']);
    run('p/1');
    expect(heard()).toEqual(['restarting p/2', 'p place p/2']);
  });

  test('knows nothing any more of a group whose last member is gone', () => {
    const { fail, tell, after, supervisor } = startGroup(['p/1']);
    fail('p/1');
    tell('instance.forget', 'p/1');
    expect([after(100_000), supervisor.getSnapshot().context.groups.keys()]).toEqual([[], []]);
  });

  test('has the backoff start over with each failure, and begins nothing while it stops', () => {
    const { supervisor, fail, run, heard, after } = startGroup(['p/1']);
    fail('p/1');
    expect(after(50)).toEqual([]);
    run('p/2');
    fail('p/2');
    expect([after(199), after(1)]).toEqual([[], ['restarting p/1', 'p place p/1']]);
    supervisor.send({ type: 'stop' });
    heard();
    run('p/1');
    expect([heard(), after(100_000)]).toEqual([[], []]);
  });

  test('while it stops, does not begin with those that waited for one that is gone', () => {
    const { supervisor, fail, down, tell, heard, after } = startGroup(['p/1', 'p/2']);
    fail('p/1');
    down('p/2');
    after(100);
    supervisor.send({ type: 'stop' });
    heard();
    tell('instance.forget', 'p/1');
    expect([heard(), after(100_000)]).toEqual([[], []]);
  });
});

describe('the supervisor against a model', () => {
  const addresses = ['p/1', 'p/2', 'q/1'];
  const rules = (['permanent', 'transient', 'temporary'] as const).map((restart) => policy({ restart }));

  interface Model {
    now: number;
    stopped: boolean;
    restarts: number;
    readonly due: Map<string, number>;
    readonly histories: Map<string, FailureHistory>;
  }
  type Real = ReturnType<typeof startSupervisor>;

  const command = (name: string, act: (model: Model, real: Real) => string[], needs?: string) => ({
    toString: () => name,
    // An instance that waits for its restart cannot fail.
    check: ({ due }: Readonly<Model>) => needs === undefined || !due.has(needs),
    run(model: Model, real: Real) {
      const expected = act(model, real);
      expect(real.heard()).toEqual(expected);
      const { context, status } = real.supervisor.getSnapshot();
      expect([status, context.restarts]).toEqual(['active', model.restarts]);
      expect(new Set(context.failures.keys())).toEqual(new Set(model.histories.keys()));
    },
  });

  const fails = fc
    .record({
      address: fc.constantFrom(...addresses),
      rule: fc.constantFrom(...rules),
      reason: fc.constantFrom('done' as const, 'failed' as const),
    })
    .map(({ address, rule, reason }) =>
      command(
        `fail ${address} ${rule.restart} ${reason}`,
        (model, real) => {
          real.fail(address, rule, reason);
          if (model.stopped) return [];
          const failure = { reason, at: model.now, random: 0 };
          const decision = decideRestart(rule, model.histories.get(address), failure);
          if (decision.kind === 'end') return [`ending ${address}`];
          if (decision.kind === 'give-up') {
            // When it is resumed, nothing is held against it.
            model.histories.delete(address);
            return [`giving up ${address}`, `${address[0]} escalation ${address}`];
          }
          model.histories.set(address, decision.history);
          model.due.set(address, model.now + decision.delayMs);
          return [];
        },
        address,
      ),
    );
  const forgets = fc.constantFrom(...addresses).map((address) =>
    command(`forget ${address}`, (model, real) => {
      model.due.delete(address);
      model.histories.delete(address);
      real.forget(address);
      return [];
    }),
  );
  const waits = fc.integer({ min: 1, max: 300 }).map((ms) =>
    command(`wait ${ms}`, (model, real) => {
      const expected: string[] = [];
      // A millisecond at a time, so that those who are due together come one after the other.
      for (let i = 0; i < ms; i += 1) {
        model.now += 1;
        real.clock.increment(1);
        const due = addresses.filter((address) => model.due.get(address) === model.now);
        const placed = due.map((address) => [`restarting ${address}`, `${address[0]} place ${address}`]);
        const inOrder = placed.toSorted(([a = ''], [b = '']) => real.log.indexOf(a) - real.log.indexOf(b));
        for (const address of due) model.due.delete(address);
        if (!model.stopped) model.restarts += due.length;
        if (!model.stopped) expected.push(...inOrder.flat());
      }
      return expected;
    }),
  );
  const stops = fc.constant(
    command('stop', (model, real) => {
      real.supervisor.send({ type: 'stop' });
      const first = !model.stopped;
      model.stopped = true;
      return first ? ['p stop', 'q stop'] : [];
    }),
  );

  test.each([
    ['any life leads to the restarts the policy allows, each at its time', [fails, fails, waits, forgets]],
    ['and nothing is restarted once it stops', [fails, fails, waits, waits, forgets, stops]],
  ])('%s', (_name, commands) => {
    fc.assert(
      fc.property(fc.commands<Model, Real>(commands, { size: 'large', maxCommands: 40 }), (life) => {
        fc.modelRun(() => {
          const real = startSupervisor();
          const model = { now: 0, stopped: false, restarts: 0, due: new Map(), histories: new Map() };
          return { model, real };
        }, life);
      }),
      { numRuns: 200 },
    );
  });
});
