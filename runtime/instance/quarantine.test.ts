import { describe, expect, test } from 'vitest';
import { toPromise, waitFor } from 'xstate';
import type { AgentRef, Escalation, QuarantineEvidence, RuntimeEvents } from 'holdfast';
import { fixture, nextEvent, start, startTest } from '../fixtures/start.ts';

const never = { intensity: { restarts: 0, withinMs: 60_000 } };

/** A counter that is given up at its first failure, on the manual clock. */
async function rig(threads = false, supervision = never) {
  const runtime = await startTest({ agents: { counter: fixture('counter', { supervision }) } }, { threads });
  const ref = await runtime.spawn('counter', { id: 'a' });
  const escalations: Escalation[] = [];
  runtime.on('escalation', (escalation) => escalations.push(escalation));
  const quarantine = async (): Promise<void> => {
    const told = nextEvent<RuntimeEvents['agent']>(
      (listener) => runtime.on('agent', listener),
      ({ state }) => state === 'quarantined',
    );
    ref.send({ type: 'fail' });
    await runtime.settled();
    await told;
  };
  return { runtime, ref, escalations, quarantine };
}

const evidenceOf = ({ evidence }: Escalation): QuarantineEvidence => evidence as QuarantineEvidence;
const quarantined = expect.objectContaining({ code: 'AGENT_QUARANTINED' }) as Error;

describe('an instance that failed too often', () => {
  test('is quarantined, with evidence in the status, in the escalation and in the error', async () => {
    const { runtime, ref, escalations, quarantine } = await rig();
    const end = toPromise(ref).catch((error: unknown) => error);
    await quarantine();
    const evidence = {
      error: { name: 'RangeError', code: 'E_RANGE', message: 'out of range' },
      failures: [{ address: 'counter/a', cause: 'error', at: expect.any(Number) as number }],
      restarts: 0,
      withinMs: 60_000,
    };
    const [instance] = runtime.status().instances;
    expect(instance).toMatchObject({ address: 'counter/a', state: 'quarantined', quarantine: evidence });
    expect(JSON.parse(JSON.stringify(instance?.quarantine))).toEqual(instance?.quarantine);
    expect(escalations).toMatchObject([
      { kind: 'instance', address: 'counter/a', threadId: 'pool', error: quarantined, evidence },
    ]);
    expect(await end).toMatchObject({ code: 'AGENT_QUARANTINED', evidence, cause: { code: 'E_RANGE' } });
    expect(ref.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'AGENT_QUARANTINED' } });
  });

  test('shows its last failure before that, as long as it counts', async () => {
    const intensity = { restarts: 3, withinMs: 60_000 };
    const { runtime, ref } = await rig(false, { intensity });
    const shown = (): unknown => runtime.status().instances[0]?.failure;
    expect(shown()).toBeUndefined();
    ref.send({ type: 'fail' });
    await runtime.settled();
    const failure = {
      cause: 'error',
      at: expect.any(Number) as number,
      error: { name: 'RangeError', code: 'E_RANGE', message: 'out of range' },
    };
    expect(runtime.status().instances[0]).toMatchObject({ state: 'restarting', failure });
    await runtime.clock.advance(59_000);
    expect(runtime.status().instances[0]).toMatchObject({ state: 'running', failure });
    await runtime.clock.advance(1000);
    expect(shown()).toBeUndefined();
  });

  test('keeps its address and what waits in its mailbox, and takes nothing more', async () => {
    const { runtime, ref, quarantine } = await rig();
    const failed = quarantine();
    ref.send({ type: 'inc' });
    await failed;
    expect(runtime.get('counter/a')).toBe(ref);
    expect(runtime.status().instances[0]).toMatchObject({ mailbox: 1, thread: -1 });
    ref.send({ type: 'inc', by: 5 });
    expect(runtime.deadLetters.list()).toMatchObject([{ reason: 'stopped', event: { type: 'inc', by: 5 } }]);
    const refused = [
      ref.ask({ type: 'read' }),
      ref.deliver({ type: 'inc' }),
      ref.snapshot(),
      ref.persist(),
      ref.can({ type: 'inc' }),
      runtime.getOrSpawn('counter', 'a'),
    ];
    for (const promise of refused) await expect(promise).rejects.toEqual(quarantined);
    await expect(runtime.spawn('counter', { id: 'a' })).rejects.toMatchObject({ code: 'ADDRESS_TAKEN' });
    await expect(runtime.deadLetters.replay('1')).rejects.toEqual(quarantined);
  });

  test('is not asked any more for what waited behind its last event', async () => {
    const { ref, quarantine } = await rig();
    const failed = quarantine();
    ref.send({ type: 'inc' });
    const behind = Promise.allSettled([ref.snapshot(), ref.persist(), ref.can({ type: 'inc' })]);
    await failed;
    for (const result of await behind) expect(result).toMatchObject({ reason: quarantined });
  });

  test('tells those who watch it, before and later, with the cause', async () => {
    const { ref, quarantine } = await rig();
    const heard: string[] = [];
    ref.watch(({ incarnation, reason }) => heard.push(`before ${incarnation} ${reason}`));
    await quarantine();
    await new Promise((resolve) => ref.watch(resolve));
    expect(heard).toEqual(['before 1 error']);
  });

  test('gives the place on its thread back: the thread retires', async () => {
    const { runtime, quarantine } = await rig();
    await quarantine();
    await runtime.clock.advance(60_000);
    expect(runtime.status().pools[0]?.threads).toEqual([]);
  });

  test('names the dead letter of the event that was in hand when its thread died', async () => {
    const runtime = await start({ agents: { process: fixture('process', { supervision: never }) } });
    const ref = await runtime.spawn('process', { id: 'a' });
    const escalation = nextEvent<Escalation>((listener) => runtime.on('escalation', listener));
    ref.send({ type: 'exit', code: 3 });
    const { evidence } = await escalation;
    const [letter] = runtime.deadLetters.list();
    expect(evidence).toMatchObject({ failures: [{ cause: 'exit' }], deadLetter: letter?.id });
    expect(letter?.event).toEqual({ type: 'exit', code: 3 });
  });

  test('counts the failures of its window only, and the last twenty at most', async () => {
    const backoff = { minMs: 10, maxMs: 10, factor: 1, jitter: 0 };
    const { runtime, ref, escalations } = await rig(false, {
      intensity: { restarts: 30, withinMs: 60_000 },
      backoff,
    } as never);
    for (let i = 0; i < 31; i++) {
      ref.send({ type: 'fail' });
      await runtime.clock.advance(10);
    }
    expect(escalations[0]?.evidence).toMatchObject({ restarts: 30 });
    const times = evidenceOf(escalations[0] as Escalation).failures.map(({ at }) => at);
    expect(times).toHaveLength(20);
    expect((times[19] as number) - (times[0] as number)).toBe(190);
  });
});

test('Poison message: N attempts → quarantine with evidence; later messages flow; replay keeps the same id and count', async () => {
  const supervision = {
    intensity: { restarts: 2, withinMs: 60_000 },
    backoff: { minMs: 1, maxMs: 5, factor: 2, jitter: 0 },
  };
  const runtime = await start({ agents: { process: fixture('process', { supervision }) } });
  const ref = await runtime.spawn('process', { id: 'a' });
  const next = (state: string): Promise<unknown> =>
    nextEvent<RuntimeEvents['agent']>(
      (listener) => runtime.on('agent', listener),
      (event) => event.state === state,
    );
  const seen = async (): Promise<unknown> => ((await ref.snapshot()) as { context: unknown }).context;

  // One attempt, as events in memory have; what came after it is handled by the next incarnation.
  let again = next('running');
  ref.send({ type: 'exit', code: 3 });
  ref.send({ type: 'note', n: 1 });
  await again;
  expect(await seen()).toEqual({ seen: [1] });
  const [letter] = runtime.deadLetters.list();
  expect(letter).toMatchObject({ reason: 'poison', replays: 0, evidence: { cause: 'exit' } });
  const { id } = letter as { id: string };

  // Another attempt is the same letter, and counted.
  again = next('running');
  await expect(runtime.deadLetters.replay(id)).rejects.toMatchObject({ code: 'THREAD_CRASHED' });
  expect(runtime.deadLetters.list()).toMatchObject([{ id, reason: 'poison', replays: 1 }]);
  await again;

  // The third is one too many for its instance.
  const quarantine = next('quarantined');
  const replay = runtime.deadLetters.replay(id);
  ref.send({ type: 'note', n: 2 });
  await expect(replay).rejects.toMatchObject({ code: 'THREAD_CRASHED' });
  await quarantine;
  expect(runtime.deadLetters.list()).toMatchObject([{ id, reason: 'poison', replays: 2 }]);
  const exits = Array.from({ length: 3 }, () => ({ address: 'process/a', cause: 'exit' }));
  expect(runtime.status().instances).toMatchObject([
    { state: 'quarantined', mailbox: 1, quarantine: { deadLetter: id, restarts: 2, failures: exits } },
  ]);
  await expect(runtime.deadLetters.replay(id)).rejects.toEqual(quarantined);
  expect(runtime.deadLetters.list()).toMatchObject([{ id, replays: 2 }]);

  await ref.resume();
  expect([await seen(), ref.incarnation]).toEqual([{ seen: [2] }, 4]);
});

describe('resume', () => {
  test.each([
    ['in this process', false],
    ['on threads', true],
  ])(
    'begins anew with what waited in the mailbox, and the same reference works, %s',
    async (_where, threads) => {
      const { runtime, ref, quarantine } = await rig(threads);
      const failed = quarantine();
      ref.send({ type: 'inc', by: 2 });
      await failed;
      await ref.resume();
      expect(ref.incarnation).toBe(2);
      ref.send({ type: 'inc', by: 3 });
      expect(await ref.ask({ type: 'read' })).toBe(5);
      expect(ref.getSnapshot().status).toBe('active');
      const busy = waitFor(
        ref as never,
        (snapshot: { context?: { n: number } }) => snapshot.context?.n === 6,
      );
      ref.send({ type: 'inc' });
      await busy;
      const done = toPromise(ref);
      ref.send({ type: 'finish' });
      expect(await done).toEqual({ total: 6 });
      expect(runtime.get('counter/a')).toBeUndefined();
    },
  );

  test('opens the mirror for those who subscribe after it, and for them alone', async () => {
    const { runtime, ref, quarantine } = await rig();
    const [before, after]: number[][] = [[], []];
    ref.subscribe({
      next: ({ context }: { context: { n: number } }) => void before?.push(context.n),
      error: () => {},
    } as never);
    await runtime.settled();
    await quarantine();
    await ref.resume();
    ref.send({ type: 'inc' });
    await ref.deliver({ type: 'inc' });
    expect([before, (ref.getSnapshot() as { context: { n: number } }).context.n]).toEqual([[0], 0]);
    ref.subscribe(((snapshot: { context: { n: number } }) => after?.push(snapshot.context.n)) as never);
    await ref.deliver({ type: 'inc' });
    await runtime.settled();
    expect([before, after?.at(-1)]).toEqual([[0], 3]);
  });

  test('forgives: as many restarts are allowed again', async () => {
    const { runtime, ref, escalations } = await rig(false, {
      intensity: { restarts: 1, withinMs: 3_600_000 },
    });
    for (let i = 0; i < 2; i++) {
      ref.send({ type: 'fail' });
      await runtime.clock.advance(1000);
    }
    expect(escalations).toHaveLength(1);
    await ref.resume();
    ref.send({ type: 'fail' });
    await runtime.clock.advance(1000);
    expect([escalations.length, runtime.status().instances[0]?.state]).toEqual([1, 'running']);
    ref.send({ type: 'fail' });
    await runtime.settled();
    expect(escalations.map((escalation) => evidenceOf(escalation).failures.length)).toEqual([2, 2]);
  });

  test('is nothing for an instance that runs, and for one that waits for its restart it waits', async () => {
    const { runtime, ref } = await rig(false, { intensity: { restarts: 5, withinMs: 1000 } });
    await ref.resume();
    expect(ref.incarnation).toBe(1);
    ref.send({ type: 'fail' });
    await runtime.settled();
    const resumed = ref.resume();
    await runtime.clock.advance(1000);
    await resumed;
    expect([ref.incarnation, runtime.status().restarts]).toEqual([2, 1]);
  });

  test('of one that has ended for good rejects', async () => {
    const { ref } = await rig();
    await ref.stop();
    await expect(ref.resume()).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
  });

  test('by two at once begins once', async () => {
    const { ref, quarantine } = await rig();
    await quarantine();
    await Promise.all([ref.resume(), ref.resume()]);
    expect(ref.incarnation).toBe(2);
  });

  test('rejects when the instance is quarantined again before it runs', async () => {
    const { runtime, ref, quarantine } = await rig(true);
    await quarantine();
    // Its thread retires, so that it waits for a new one to start.
    await runtime.clock.advance(60_000);
    const resumed = ref.resume().catch((error: unknown) => error);
    const thread = nextEvent<RuntimeEvents['thread']>(
      (listener) => runtime.on('thread', listener),
      ({ state }) => state === 'exited',
    );
    runtime.faults.killThread('pool');
    await thread;
    expect(await resumed).toMatchObject({ code: 'AGENT_QUARANTINED' });
  });

  test('watches go on: one that was opened after it tells of the next end', async () => {
    const { ref, quarantine } = await rig();
    await quarantine();
    await ref.resume();
    const end = new Promise((resolve) => ref.watch(resolve));
    await ref.stop();
    expect(await end).toEqual({ address: 'counter/a', incarnation: 2, reason: 'stopped' });
  });
});

describe('the end of a quarantined instance', () => {
  test('by stop makes dead letters of its mailbox and frees the address', async () => {
    const { runtime, ref, quarantine } = await rig();
    const failed = quarantine();
    ref.send({ type: 'inc' });
    await failed;
    await ref.stop();
    expect(runtime.deadLetters.list()).toMatchObject([{ reason: 'stopped', event: { type: 'inc' } }]);
    expect([runtime.get('counter/a'), runtime.status().instances]).toEqual([undefined, []]);
    await expect(ref.ask({ type: 'read' })).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
    await expect(ref.resume()).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
    expect((await runtime.spawn('counter', { id: 'a' })).incarnation).toBe(1);
  });

  test('by runtime.stop does not wait for its mailbox', async () => {
    const { runtime, ref, quarantine } = await rig(true);
    const failed = quarantine();
    ref.send({ type: 'inc' });
    await failed;
    await runtime.stop({ timeoutMs: 3_600_000 });
    expect(runtime.status().instances).toEqual([]);
    await expect((ref as AgentRef).resume()).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
  });
});
