import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  assign,
  createActor,
  setup,
  toPromise,
  waitFor,
  type AnyActorRef,
  type AnyEventObject,
} from 'xstate';
import { agent, type Runtime } from 'holdfast';
import { nextEvent, start } from '../fixtures/start.ts';
import { agentIn, deadline } from './fixtures/agents.ts';
import type { callback, events, observable, promise, transition } from './fixtures/logics.ts';

const logic = <T>(name: string) =>
  agent<T>(agentIn('logics', { export: name, mirror: 'all', supervision: { restart: 'temporary' } }));
const agents = {
  promise: logic<typeof promise>('promise'),
  callback: logic<typeof callback>('callback'),
  observable: logic<typeof observable>('observable'),
  events: logic<typeof events>('events'),
  transition: logic<typeof transition>('transition'),
};
type Agents = Runtime<{ agents: typeof agents }>;

async function noteFile(): Promise<{ file: string; notes: () => Promise<string> }> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'notes');
  return { file, notes: () => readFile(file, 'utf8').catch(() => '') };
}

/** A machine that runs one agent and notes what it hears of it. */
function parentOf(runtime: Agents, name: keyof typeof agents, input: unknown) {
  const heard: unknown[] = [];
  const machine = setup({ actors: { kid: runtime.logic(name) as never } }).createMachine({
    initial: 'on',
    states: {
      on: {
        invoke: {
          id: 'kid',
          src: 'kid' as never,
          input: input as never,
          onDone: { target: 'off', actions: ({ event }) => heard.push(['done', event.output]) },
          onError: { target: 'off', actions: ({ event }) => heard.push(['error', event.error]) },
        },
        on: { leave: 'off', '*': { actions: ({ event }) => heard.push(event) } },
      },
      off: {},
    },
  });
  const actor = createActor(machine).start();
  onTestFinished(() => void actor.stop());
  const kid = (actor.getSnapshot() as unknown as { children: { kid: AnyActorRef } }).children.kid;
  return { actor, kid, heard, off: () => waitFor(actor, (state) => state.matches('off'), deadline) };
}

describe('a promise as an agent', () => {
  test('is done with what it resolves to, has its id, and emits', async () => {
    const runtime = await start({ agents });
    const ref = await runtime.spawn('promise', { id: 'p', input: { how: 'resolve' } });
    const note = nextEvent((heard) => ref.on('note', heard));
    expect(await toPromise(ref)).toEqual({ at: new Date(5) });
    expect(ref.getSnapshot()).toMatchObject({ status: 'done', output: { at: new Date(5) } });
    expect(await note.catch(() => 'too late')).toEqual({ type: 'note', what: ['began', 'p'] });
  });

  test('reaches onDone and onError of the machine that invoked it', async () => {
    const runtime = await start({ agents });
    const [good, bad] = [
      parentOf(runtime, 'promise', { how: 'resolve' }),
      parentOf(runtime, 'promise', { how: 'reject' }),
    ];
    await Promise.all([good.off(), bad.off()]);
    expect(good.heard).toEqual([['done', { at: new Date(5) }]]);
    expect(bad.heard).toMatchObject([['error', { name: 'RangeError', message: 'no', code: 'E_NO' }]]);
  });

  test('is aborted when it is stopped, or its parent leaves', async () => {
    const runtime = await start({ agents });
    const { file, notes } = await noteFile();
    const ref = await runtime.spawn('promise', { input: { how: 'wait', file } });
    await ref.stop();
    expect(await notes()).toBe('aborted\n');
    const { actor, kid } = parentOf(runtime, 'promise', { how: 'wait', file });
    await nextEvent((heard) => kid.on('note', heard));
    actor.send({ type: 'leave' });
    await expect.poll(notes, deadline).toBe('aborted\naborted\n');
  });
});

describe('a callback as an agent', () => {
  test('receives, sends back and emits, in order', async () => {
    const runtime = await start({ agents });
    const { file } = await noteFile();
    const { kid, heard } = parentOf(runtime, 'callback', { file });
    const emitted: unknown[] = [];
    kid.on('note', (event: AnyEventObject) => emitted.push(event['what']));
    const last = nextEvent<AnyEventObject>(
      (listener) => kid.on('note', listener),
      ({ what }) => what === 3,
    );
    for (const n of [1, 2, 3]) kid.send({ type: 'ping', n });
    await last;
    expect(emitted).toEqual([1, 2, 3]);
    expect(heard).toEqual([1, 2, 3].map((n) => ({ type: 'pong', n, of: expect.any(String) as string })));
  });

  test('answers an ask', async () => {
    const runtime = await start({ agents });
    const { file } = await noteFile();
    const ref = await runtime.spawn('callback', { input: { file } });
    expect(await ref.ask({ type: 'ask', value: [1, 'two'] })).toEqual([1, 'two']);
  });

  test('is cleaned up when it is stopped, once', async () => {
    const runtime = await start({ agents });
    const { file, notes } = await noteFile();
    const ref = await runtime.spawn('callback', { input: { file } });
    await Promise.all([ref.stop(), ref.stop()]);
    expect(await notes()).toBe('cleaned\n');
  });

  test('that throws while it receives fails', async () => {
    const runtime = await start({ agents });
    const { file } = await noteFile();
    const { kid, heard, off } = parentOf(runtime, 'callback', { file });
    kid.send({ type: 'fail' });
    await off();
    expect(heard).toMatchObject([['error', { name: 'TypeError', message: 'refused' }]]);
  });
});

describe('an observable as an agent', () => {
  test('has its latest value as context, each of them mirrored, and is done when it completes', async () => {
    const runtime = await start({ agents });
    const actor = createActor(runtime.logic('observable'), { input: { upTo: 4 } });
    const [values, emitted]: unknown[][] = [[], []];
    // One that was mirrored may come again, because a watch opened.
    actor.subscribe(({ context }) => context?.n !== values?.at(-1) && values?.push(context?.n));
    actor.on('note', ({ what }) => emitted?.push(what));
    await toPromise(actor.start());
    expect([values, emitted]).toEqual([
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ]);
    expect(actor.getSnapshot()).toMatchObject({ status: 'done', context: { n: 4, of: 4n } });
  });

  test('fails with what it fails with', async () => {
    const runtime = await start({ agents });
    const { heard, off } = parentOf(runtime, 'observable', { failAt: 3 });
    await off();
    expect(heard).toMatchObject([['error', { name: 'RangeError', message: 'no 3' }]]);
  });

  test('is unsubscribed from when it is stopped', async () => {
    const runtime = await start({ agents });
    const { file, notes } = await noteFile();
    const ref = await runtime.spawn('observable', { input: { file } });
    await nextEvent((heard) => ref.on('note', heard));
    await ref.stop();
    expect(await notes()).toBe('unsubscribed\n');
  });
});

describe('an observable of events as an agent', () => {
  test('sends each to its parent before it is done', async () => {
    const runtime = await start({ agents });
    const { heard, off } = parentOf(runtime, 'events', { upTo: 3 });
    await off();
    expect(heard).toEqual([...[1, 2, 3].map((n) => ({ type: 'counted', n })), ['done', undefined]]);
  });

  test('has nobody to send them to when it was spawned', async () => {
    const runtime = await start({ agents });
    const ref = await runtime.spawn('events', { input: { upTo: 1 } });
    await toPromise(ref);
    expect(runtime.deadLetters.list()).toMatchObject([
      { reason: 'unknown-address', event: { type: 'counted', n: 1 } },
    ]);
  });
});

describe('a transition as an agent', () => {
  test('has its input, its state as context, and emits', async () => {
    const runtime = await start({ agents });
    const ref = await runtime.spawn('transition', { id: 't', input: { from: 10 } });
    const note = nextEvent<{ what: unknown }>(
      (heard) => ref.on('note', heard),
      ({ what }) => what === 13,
    );
    for (const n of [1, 2]) ref.send({ type: 'add', n });
    expect(await note).toEqual({ type: 'note', what: 13 });
    expect(await ref.ask({ type: 'sum' })).toBe(13);
    expect((await ref.snapshot()).context).toEqual({ sum: 13, of: 't' });
  });

  test('fails when it throws', async () => {
    const runtime = await start({ agents });
    const { kid, heard, off } = parentOf(runtime, 'transition', { from: 0 });
    kid.send({ type: 'fail' });
    await off();
    expect(heard).toMatchObject([['error', { name: 'RangeError', message: 'cannot' }]]);
  });

  test('persists and continues', async () => {
    const runtime = await start({ agents });
    const ref = await runtime.spawn('transition', { id: 't', input: { from: 1 } });
    ref.send({ type: 'add', n: 4 });
    const envelope = await ref.persist();
    await ref.stop();
    const again = await runtime.spawn('transition', { id: 't', input: { from: 0 }, snapshot: envelope });
    again.send({ type: 'add', n: 1 });
    expect(await again.ask({ type: 'sum' })).toBe(6);
  });
});

test('an agent’s output is typed in the machine that invokes it', async () => {
  const runtime = await start({ agents });
  const machine = setup({
    types: { context: {} as { at: Date | undefined } },
    actors: { job: runtime.logic('promise') },
  }).createMachine({
    context: { at: undefined },
    initial: 'on',
    states: {
      on: {
        invoke: {
          src: 'job',
          input: { how: 'resolve' },
          onDone: { target: 'off', actions: assign({ at: ({ event }) => event.output.at }) },
        },
      },
      off: { type: 'final' },
    },
    output: ({ context }) => context.at?.getTime(),
  });
  expect(await toPromise(createActor(machine).start())).toBe(5);
});
