import { expect, it, onTestFinished } from 'vitest';
import { assign, createActor, emit, setup } from 'xstate';
import { HoldfastError } from '../base/errors.ts';
import { manualClock } from '../instance/fixtures/lone-instance.ts';
import type { AgentRef } from '../instance/agent-ref.ts';
import { Waiting } from '../mailbox/waiting.ts';
import { WINDOW_CHUNKS } from '../mailbox/stream-window.ts';
import type { IncarnationEnd } from '../base/endings.ts';
import { isObserved } from '../xstate/xstate5.ts';
import type { Call } from './messages.ts';
import { mirrored, type MirrorPart, MOST_EVENTS } from './mirror-source.ts';
import type { LinkWait } from './node-link.ts';
import { NodeMirror } from './node-mirror.ts';
import { PartWindow } from './part-window.ts';
import { Wants } from './wants.ts';

const counter = setup({
  types: { context: {} as { count: number }, events: {} as { type: 'add' | 'end' | 'fail' } },
}).createMachine({
  context: { count: 0 },
  initial: 'open',
  on: {
    add: {
      actions: [
        assign({ count: ({ context }) => context.count + 1 }),
        emit(({ context }) => ({ type: 'added', count: context.count })),
      ],
    },
    end: '.ended',
    fail: {
      actions: () => {
        throw new RangeError('it broke');
      },
    },
  },
  states: { open: {}, ended: { type: 'final' } },
});

/** An instance as its node has it: one that tells its observers what is so when they come. */
function instance() {
  const actor = createActor(counter).start();
  const ends: ((end: Partial<IncarnationEnd>) => void)[] = [];
  const ref = Object.assign(actor, {
    address: 'counter/a',
    watch: (ended: (end: Partial<IncarnationEnd>) => void) => ends.push(ended),
  });
  const tells = actor.subscribe.bind(actor);
  actor.subscribe = (...args: unknown[]) => {
    const [observer] = args as [{ next?: (snapshot: unknown) => void }];
    const subscription = tells(...(args as Parameters<typeof tells>));
    if (actor.getSnapshot().status === 'active') observer.next?.(actor.getSnapshot());
    return subscription;
  };
  return { actor, ends, ref: ref as unknown as AgentRef };
}

/** Two nodes: an instance on one of them, observed from the other by a way that may break, or be full. */
function nodes() {
  const [clock, told] = [manualClock(), [] as unknown[]];
  const waiting = new Waiting(clock);
  const calls: Call[] = [];
  let way: { there: AgentRef | HoldfastError; isFull: boolean; isAway: boolean } = {
    there: instance().ref,
    isFull: false,
    isAway: false,
  };
  let open = 0;
  let give = (): void => {};
  function call(asked: Call, { timeoutMs, signal, stream, wants = new Wants() }: LinkWait): Promise<unknown> {
    calls.push(asked);
    const [controller, window] = [new AbortController(), new PartWindow()];
    const seat = { credit: (_tag: number, taken: number) => void window.taken(taken) };
    open += 1;
    const settled = (): void => {
      open -= 1;
      controller.abort();
    };
    const onTimeout = (): Error => new HoldfastError('ASK_TIMEOUT', 'late');
    return waiting.open('ask', { timeoutMs, signal, stream, settled, onTimeout }, (tag) => {
      const { there } = way;
      if (there instanceof Error) return waiting.reject(tag, there);
      const held: unknown[] = [];
      const take = (part: unknown): void => void stream?.take(seat, [part], 0, 0);
      give = () => {
        for (const part of held.splice(0)) take(part);
      };
      const write = (part: unknown): Promise<void> | undefined => {
        told.push(part);
        // It is taken after it has its place.
        queueMicrotask(() => (way.isFull ? held.push(part) : take(part)));
        return window.add(0);
      };
      mirrored(there, { signal: controller.signal, write, wants }, () => way.isAway).then(
        (last) => waiting.resolve(tag, last),
        (error: unknown) => waiting.reject(tag, error),
      );
    });
  }
  const warned: string[] = [];
  const failures: unknown[] = [];
  const leftOut: number[] = [];
  const used = new Set<NodeMirror>();
  const mirror = new NodeMirror({
    address: 'counter/a',
    clock,
    call,
    waiting,
    leftOut: (count) => leftOut.push(count),
    warn: (_fields, message) => warned.push(message),
    observed: (error) => failures.push(error),
    used: (one) => used.add(one),
    unused: (one) => used.delete(one),
  });
  onTestFinished(() => mirror.close());
  return {
    clock,
    mirror,
    observed: mirror.actor,
    told: told as MirrorPart[],
    calls,
    warned,
    failures,
    leftOut,
    used,
    give: () => give(),
    open: () => open,
    set: (changed: Partial<typeof way>) => (way = { ...way, ...changed }),
  };
}

const rest = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('nothing is asked before somebody observes, nothing more than is wanted is told, and nothing is left on either side of one who has gone', async () => {
  const { mirror, observed, told, calls, used, open, set } = nodes();
  const { actor, ref } = instance();
  set({ there: ref });
  mirror.actor.getSnapshot();
  expect([calls.length, used.size]).toEqual([0, 0]);
  const ending = observed.subscribe({ complete() {} });
  actor.send({ type: 'add' });
  await rest();
  expect(told).toEqual([{ begun: true }]);
  const heard: unknown[] = [];
  const listening = observed.on('added', (event) => heard.push(event));
  actor.send({ type: 'add' });
  await rest();
  expect(told.slice(1)).toEqual([{ event: { type: 'added', count: 2 } }]);
  const states: unknown[] = [];
  const watching = observed.subscribe(({ context }) => states.push(context.count));
  await rest();
  listening.unsubscribe();
  actor.send({ type: 'add' });
  await rest();
  expect(heard).toEqual([{ type: 'added', count: 2 }]);
  expect(states).toEqual([2, 3]);
  watching.unsubscribe();
  watching.unsubscribe();
  expect([isObserved(actor), used.size, open(), calls.length]).toEqual([true, 1, 1, 1]);
  ending.unsubscribe();
  expect([isObserved(actor), used.size, open()]).toEqual([false, 0, 0]);
  const before = told.length;
  actor.send({ type: 'add' });
  await rest();
  expect(told.length).toBe(before);
  expect(observed.getSnapshot()).toMatchObject({ context: { count: 3 } });
  observed.subscribe(({ context }) => states.push(context.count));
  await rest();
  expect(states.at(-1)).toBe(4);
});

it('of what is not taken in time the latest state is told and the last events, and those left out are counted', async () => {
  const { observed, told, leftOut, give, set } = nodes();
  const { actor, ref } = instance();
  set({ there: ref, isFull: true });
  const states: number[] = [];
  const heard: number[] = [];
  observed.subscribe(({ context }) => states.push(context.count));
  observed.on('added', ({ count }) => heard.push(count));
  const all = MOST_EVENTS + 500;
  for (let n = 0; n < all; n += 1) actor.send({ type: 'add' });
  await rest();
  expect(told.length).toBe(WINDOW_CHUNKS);
  set({ isFull: false });
  give();
  for (let turns = 0; told.length < MOST_EVENTS || turns < 3; turns += 1) {
    give();
    await rest();
  }
  const before = heard.findIndex((count, i) => i > 0 && count !== (heard[i - 1] as number) + 1);
  expect(leftOut).toEqual([all - MOST_EVENTS - before]);
  expect(heard.slice(before)).toEqual(
    Array.from({ length: MOST_EVENTS }, (_, n) => all - MOST_EVENTS + n + 1),
  );
  expect(states.at(-1)).toBe(all);
  expect(states.length).toBeLessThan(2 * WINDOW_CHUNKS);
});

it('is followed to another node, and tells that it was not heard on the way', async () => {
  const { clock, observed, warned, calls, set, open } = nodes();
  const [one, other] = [instance(), instance()];
  set({ there: one.ref });
  const counts: number[] = [];
  const heard: unknown[] = [];
  observed.subscribe({ next: ({ context }) => counts.push(context.count), complete: () => counts.push(-1) });
  observed.on('added', (event) => heard.push(event));
  one.actor.send({ type: 'add' });
  await rest();
  other.actor.send({ type: 'add' });
  other.actor.send({ type: 'add' });
  set({ there: new HoldfastError('NODE_UNREACHABLE', 'nobody has it') });
  one.actor.stop();
  one.ends[0]?.({ reason: 'shutdown' });
  await rest();
  clock.pass(100);
  await rest();
  expect(calls.length).toBe(2);
  set({ there: other.ref });
  clock.pass(200);
  await rest();
  other.actor.send({ type: 'add' });
  await rest();
  expect([...new Set(counts)]).toEqual([0, 1, 2, 3]);
  expect(heard).toEqual([
    { type: 'added', count: 1 },
    { type: 'added', count: 3 },
  ]);
  expect(warned).toEqual([expect.stringContaining('not heard')]);
  expect([isObserved(one.actor), open()]).toEqual([false, 1]);
});

it('an instance that its node has lost is looked for, for a minute', async () => {
  const { clock, observed, calls, used, set, open } = nodes();
  const there = instance();
  // XState throws an error that no observer takes.
  there.actor.subscribe({ error() {} });
  set({ there: there.ref, isAway: true });
  let error: unknown;
  observed.subscribe({ error: (one: unknown) => (error = one) });
  await rest();
  set({ there: new HoldfastError('NODE_UNREACHABLE', 'nobody has it') });
  there.actor.send({ type: 'fail' });
  for (let seconds = 0; seconds < 58; seconds += 1) {
    await rest();
    clock.pass(1000);
  }
  await rest();
  expect(error).toBeUndefined();
  expect(calls.length).toBeGreaterThan(10);
  for (let seconds = 0; seconds < 4; seconds += 1) {
    await rest();
    clock.pass(1000);
  }
  await rest();
  expect(error).toMatchObject({ code: 'NODE_UNREACHABLE' });
  expect([used.size, open()]).toEqual([0, 0]);
});

it('ends with what waits before the end, as the instance has: done, failed, stopped, or not there', async () => {
  const ends: unknown[] = [];
  const done = nodes();
  const ending = instance();
  done.set({ there: ending.ref });
  done.observed.on('added', ({ count }) => ends.push(count));
  done.observed.subscribe({ next: ({ status }) => ends.push(status), complete: () => ends.push('over') });
  ending.actor.send({ type: 'add' });
  ending.actor.send({ type: 'end' });
  await rest();
  expect(ends).toEqual(['active', 1, 'active', 'done', 'over']);

  const failing = instance();
  const failed = nodes();
  failed.set({ there: failing.ref });
  const error = new Promise((resolve) => void failed.observed.subscribe({ error: resolve }));
  failing.actor.send({ type: 'fail' });
  expect(await error).toMatchObject({ name: 'RangeError', message: 'it broke' });

  const stopping = instance();
  const stopped = nodes();
  stopped.set({ there: stopping.ref });
  const over = new Promise<void>((resolve) => void stopped.observed.subscribe({ complete: resolve }));
  stopping.actor.stop();
  stopping.ends[0]?.({ reason: 'stopped' });
  await over;

  const nobody = nodes();
  nobody.set({ there: new HoldfastError('AGENT_STOPPED', 'it has ended') });
  nobody.observed.on('added', () => {});
  await rest();
  expect(nobody.mirror.isOver).toBe(true);
  expect(nobody.failures).toEqual([expect.objectContaining({ code: 'AGENT_STOPPED' })]);
  for (const { used, open } of [done, failed, stopped, nobody]) expect([used.size, open()]).toEqual([0, 0]);
});
