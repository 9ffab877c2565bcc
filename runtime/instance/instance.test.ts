import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../base/errors.ts';
import type { IncarnationEnd } from '../base/endings.ts';
import { type Batch, runAt, runCount, senderAt, termsAt, traceAt } from '../mailbox/batch.ts';
import { depthOf } from '../mailbox/terms.ts';
import { LoneInstance, settled } from './fixtures/lone-instance.ts';

const failure = new Error('it failed');

/** What a promise came to: a code, or `ok`. */
function outcome(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'ok',
    (error: unknown) => (error instanceof HoldfastError ? error.code : String(error)),
  );
}

/** Ends of incarnations, as a watcher hears them who goes on watching. */
function watching({ instance }: LoneInstance): IncarnationEnd['reason'][] {
  const heard: IncarnationEnd['reason'][] = [];
  const watch = (): void => {
    instance.watchers.watch(({ reason }) => {
      heard.push(reason);
      if (instance.phase !== 'ended' && instance.phase !== 'quarantined') watch();
    });
  };
  watch();
  return heard;
}

test('an ask that another node was given is queued with its sender, its trace and the asks that led to it', () => {
  const { instance } = new LoneInstance();
  const headers = { traceparent: '00-1-2-01' };
  const wait = { timeoutMs: 1000, onTimeout: () => failure, depth: 3, origin: { from: 'b/1', headers } };
  void instance.inbox.open('ask', { type: 'x' }, wait);
  const batch: Batch = [];
  instance.mailbox.take(batch, 0, 10);
  const rows = Array.from({ length: runCount(batch) }, (_, row) => row);
  expect(rows.map((row) => traceAt(batch, row))).toContainEqual({
    headers,
    sentAt: expect.any(Number) as number,
    told: true,
  });
  expect(rows.map((row) => senderAt(batch, row))).toContain('b/1');
  const { asks } = runAt(batch, rows.length - 1);
  expect(asks && depthOf(termsAt(asks, 0))).toBe(3);
});

describe('an instance that starts', () => {
  test('takes one seat, and runs there when its thread says so', async () => {
    const lone = new LoneInstance();
    const { instance } = lone;
    expect([lone.place(), lone.place()]).toEqual([true, false]);
    expect(instance.phase).toBe('starting');
    lone.start();
    expect([instance.phase, instance.thread, instance.incarnation]).toEqual(['running', 33, 1]);
    expect(lone.since()).toEqual(['running']);
    await instance.started;
  });

  test('and cannot, fails for good: the twin, the watchers and those who wait hear of it', async () => {
    const lone = new LoneInstance();
    const { instance } = lone;
    const ends = watching(lone);
    lone.place();
    const waiting = outcome(instance.seated());
    instance.startFailed(failure, 'init-timeout');
    expect(lone.since()).toEqual(['end', 'gone']);
    expect(lone.twin.heard).toMatchObject([{ type: 'holdfast.failed', error: failure }]);
    expect([await outcome(instance.started), await waiting]).toEqual([String(failure), String(failure)]);
    expect(ends).toEqual(['init-timeout']);
  });

  test('and cannot, makes dead letters of what it was sent, and none of what the runtime itself had to tell', () => {
    const lone = new LoneInstance();
    const { inbox } = lone.instance;
    lone.place();
    inbox.acceptControl({ type: 'secret.rotated' });
    inbox.accept({ type: 'note' });
    inbox.acceptControl({ type: 'secret.stale' });
    lone.instance.startFailed(failure, 'init-timeout');
    expect(lone.letters.list()).toMatchObject([{ reason: 'stopped', event: { type: 'note' } }]);
  });

  test('and is stopped before, ends without a word to a thread', async () => {
    const lone = new LoneInstance();
    lone.place();
    await lone.instance.stop();
    expect(lone.since()).toEqual(['end', 'gone']);
    expect(lone.place()).toBe(false);
    expect(await outcome(lone.instance.started)).toBe('AGENT_STOPPED');
  });

  test('asks for the mirror anew when observers came or went meanwhile', () => {
    const lone = new LoneInstance();
    lone.place();
    const { berth } = lone;
    if (berth === undefined) throw new Error('it has no seat');
    expect(lone.instance.activation(berth)).toMatchObject({ slot: 7, incarnation: 1, watched: false });
    lone.instance.watch(true);
    expect(lone.since()).toEqual([]);
    berth.begun = true;
    lone.instance.running();
    expect(lone.since()).toEqual(['running', 'watch']);
  });
});

describe('an instance that failed', () => {
  test('waits for its supervisor, and its next incarnation gets what waits in the mailbox', async () => {
    const lone = new LoneInstance();
    const { instance } = lone;
    const ends = watching(lone);
    lone.run();
    lone.since();
    instance.failed(failure);
    expect(lone.since()).toEqual(['end', 'failed: error']);
    instance.inbox.accept({ type: 'note' });
    expect([instance.phase, instance.mailbox.depth, lone.place()]).toEqual(['restarting', 1, false]);
    instance.restart();
    lone.run();
    expect([instance.phase, instance.incarnation, instance.restarts]).toEqual(['running', 2, 1]);
    await settled();
    expect([ends, lone.letters.list()]).toEqual([['error'], []]);
  });

  test('too often, is quarantined with the evidence, takes nothing, and begins anew when it is resumed', async () => {
    const lone = new LoneInstance();
    const { instance } = lone;
    lone.run();
    instance.failed(failure);
    const waiting = outcome(instance.seated());
    const error = instance.giveUp();
    expect(await waiting).toBe('AGENT_QUARANTINED');
    expect(error).toMatchObject({ code: 'AGENT_QUARANTINED', cause: failure });
    expect(error?.evidence).toMatchObject({ failures: [{ address: 'agent/1', cause: 'error' }] });
    expect(lone.twin.alive).toBe(false);
    instance.inbox.accept({ type: 'note' });
    expect(lone.letters.list()).toMatchObject([{ reason: 'stopped', event: { type: 'note' } }]);
    expect(await outcome(instance.seated())).toBe('AGENT_QUARANTINED');
    lone.since();
    const resumed = instance.resume();
    expect(lone.since()).toEqual(['resume']);
    instance.restart();
    lone.run();
    await resumed;
    expect([instance.phase, instance.incarnation, instance.quarantine, lone.twin.alive]).toEqual([
      'running',
      2,
      undefined,
      true,
    ]);
  });

  test('while its group ended it, keeps its next seat when the thread lets go of the last one at last', async () => {
    const lone = new LoneInstance();
    const { instance } = lone;
    const first = lone.run();
    instance.pause();
    instance.failed(failure);
    instance.restart();
    const second = lone.run();
    first.left();
    await settled();
    expect([instance.phase, instance.holds(second), lone.since().at(-1)]).toEqual([
      'running',
      true,
      'running',
    ]);
  });

  test('keeps its quarantine for what it hears while it is stopped', async () => {
    const lone = new LoneInstance();
    const { instance } = lone;
    const berth = lone.run();
    const other = new LoneInstance();
    other.instance.giveUp();
    instance.giveUp(other.instance);
    const stopped = instance.stop();
    // Decided before it was stopped.
    instance.restart();
    expect([instance.phase, instance.quarantine?.evidence.because]).toEqual(['stopping', 'agent/1']);
    expect(lone.twin.alive).toBe(false);
    berth.left();
    await stopped;
    expect(instance.phase).toBe('ended');
  });
});

describe('an instance that is stopped', () => {
  test('leaves its thread first, ends once, and what waits becomes dead letters', async () => {
    const lone = new LoneInstance();
    const { instance } = lone;
    const ends = watching(lone);
    const berth = lone.run();
    instance.inbox.accept({ type: 'note' });
    lone.since();
    const both = [instance.stop(), instance.stop()];
    expect([lone.since(), instance.phase]).toEqual([['leave'], 'stopping']);
    instance.inbox.accept({ type: 'late' });
    berth.left();
    await Promise.all(both);
    expect(lone.since()).toEqual(['end', 'gone']);
    expect(lone.twin.heard).toEqual([{ type: 'xstate.stop' }]);
    expect(lone.letters.list().map(({ event }) => event)).toEqual([{ type: 'late' }, { type: 'note' }]);
    expect([ends, instance.cut]).toEqual([['stopped'], false]);
  });

  test('waits five seconds for a thread that does not answer, and says that it was cut', async () => {
    const lone = new LoneInstance();
    lone.run();
    const stopped = lone.instance.stop();
    lone.clock.pass(4999);
    await settled();
    expect(lone.instance.phase).toBe('stopping');
    lone.clock.pass(1);
    await stopped;
    expect([lone.instance.phase, lone.instance.cut]).toEqual(['ended', true]);
  });

  test('with the runtime, gives back no place, and ends after those before it', async () => {
    const lone = new LoneInstance();
    const berth = lone.run();
    lone.since();
    const turn = Promise.withResolvers<void>();
    const stopped = lone.instance.stop('shutdown', turn.promise);
    berth.left();
    await settled();
    expect([lone.instance.phase, lone.since()]).toEqual(['stopping', ['leave']]);
    turn.resolve();
    await stopped;
    expect(lone.since()).toEqual(['end without release', 'gone']);
  });
});

describe('an instance that moves', () => {
  test('goes on elsewhere as the same incarnation, from where it was', () => {
    const lone = new LoneInstance();
    const { instance } = lone;
    lone.run();
    lone.since();
    instance.departed({ snapshot: { at: 'sea' }, timers: [] });
    expect([instance.phase, lone.since()]).toEqual(['moving', ['end', 'moving from 3']]);
    lone.place();
    const [, second] = lone.berths;
    if (second === undefined) throw new Error('it has no second seat');
    expect(instance.activation(second)).toMatchObject({
      incarnation: 1,
      snapshot: { at: 'sea' },
      timersPolicy: 'deadline',
    });
    lone.start();
    expect([instance.phase, instance.incarnation]).toEqual(['running', 1]);
  });

  test('and finds no thread, has lost nothing, and asks again', () => {
    const lone = new LoneInstance();
    lone.run();
    lone.instance.departed({ snapshot: {}, timers: [] });
    lone.since();
    lone.instance.refused(new HoldfastError('POOL_EXHAUSTED', 'no thread'), 'error');
    expect([lone.instance.phase, lone.since()]).toEqual(['moving', ['place later']]);
    expect(lone.place()).toBe(true);
  });

  test('and fails before it runs, begins anew with its next incarnation', () => {
    const lone = new LoneInstance();
    lone.run();
    lone.instance.departed({ snapshot: { at: 'sea' }, timers: [] });
    lone.place();
    lone.instance.pause();
    lone.instance.restart();
    lone.place();
    const { berth } = lone;
    if (berth === undefined) throw new Error('it has no seat');
    const request = lone.instance.activation(berth);
    expect([request.incarnation, request.snapshot]).toEqual([2, undefined]);
  });
});

describe('a question', () => {
  test('is answered by the next incarnation when the one that was asked ends first', async () => {
    const lone = new LoneInstance();
    const { instance } = lone;
    const first = lone.run();
    const asked = Promise.withResolvers<unknown>();
    first.answer = () => asked.promise;
    const answer = instance.query('can', 1000);
    await settled();
    instance.failed(failure);
    asked.reject(failure);
    await settled();
    instance.restart();
    lone.place();
    const { berth } = lone;
    if (berth === undefined) throw new Error('it has no seat');
    berth.answer = () => Promise.resolve(true);
    lone.start();
    expect(await answer).toBe(true);
  });

  test('has its time, and no more', async () => {
    const lone = new LoneInstance();
    const answer = outcome(lone.instance.query('persist', 1000));
    lone.clock.pass(1000);
    expect(await answer).toBe('ASK_TIMEOUT');
  });
});

test('an event to one that runs is told to its seat at once; while the runtime drains it is refused', () => {
  const lone = new LoneInstance();
  lone.run();
  lone.since();
  lone.instance.inbox.accept({ type: 'note' });
  expect(lone.since()).toEqual(['ready']);
  lone.draining = new HoldfastError('RUNTIME_STOPPED', 'it drains');
  lone.instance.inbox.accept({ type: 'late' });
  expect([lone.since(), lone.letters.list().map(({ event }) => event)]).toEqual([[], [{ type: 'late' }]]);
});

test('what an instance sends to a parent that it has not got is a dead letter', () => {
  const [owned, spawned] = [new LoneInstance({ parent: 'machine' }), new LoneInstance()];
  owned.twin.parent = [];
  for (const { instance } of [owned, spawned]) instance.twin.sentToParent({ type: 'hello' });
  expect(owned.twin.parent).toEqual([{ type: 'hello' }]);
  expect(spawned.letters.list()).toMatchObject([{ reason: 'unknown-address', toParent: true }]);
});
