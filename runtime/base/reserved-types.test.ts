import { describe, expect, test } from 'vitest';
import { assign, createActor, setup, waitFor, type AnyActorRef, type AnyEventObject } from 'xstate';
import type { DeadLetter } from '../dead-letters/dead-letters.ts';
import { fixture, nextEvent, start } from '../fixtures/start.ts';
import { isReserved } from './reserved-types.ts';
import { REPORT } from '../wire/protocol.ts';

const DONE = 'xstate.done.actor.check';
const reserved = [
  DONE,
  'xstate.done.actor',
  'xstate.error.actor.check',
  'xstate.done.state.trader.buying',
  'xstate.after.1000.trader.waiting',
  'xstate.snapshot.check',
  'xstate.init',
  'xstate.stop',
  'xstate',
  '@xstate.snapshot',
  'secret.revoked',
  'secret.rotated',
  'secret',
  'holdfast.done',
];

test.each(reserved)('%s is a type of XState or of the runtime', (type) =>
  expect(isReserved(type)).toBe(true),
);

test.each([
  'note',
  '',
  'secrets.found',
  'secretary',
  'xstates',
  'holdfaster',
  'my.xstate.stop',
  'XState.stop',
])('"%s" is anybody\'s', (type) => expect(isReserved(type)).toBe(false));

const talker = (threadId: string) => fixture('talkers', { threadId });

describe('an agent that says in the name of XState or of the runtime that something came to pass', () => {
  for (const to of ['other/b', 'talker/b'])
    test(`is not heard by ${to}, and the event is a dead letter with the reason`, async () => {
      const runtime = await start({ agents: { talker: talker('talkers'), other: talker('others') } });
      const a = await runtime.spawn('talker', { id: 'a' });
      const b = await runtime.spawn(to.split('/')[0] as 'other', { id: 'b' });

      for (const type of reserved) await a.deliver({ type: 'forward', to, event: { type, output: 1 } });
      await a.deliver({ type: 'forward', to, event: { type: 'note' } });

      await expect
        .poll(() => b.ask({ type: 'heard' }))
        .toEqual([{ event: { type: 'note' }, from: 'talker/a' }]);
      const letters = runtime.deadLetters.list();
      expect(letters.map(({ event }) => (event as AnyEventObject).type)).toEqual(reserved);
      expect(new Set(letters.map(({ address, reason }) => `${address} ${reason}`))).toEqual(
        new Set([`${to} reserved`]),
      );
    });

  test('learns it from ask, by a code', async () => {
    const runtime = await start({ agents: { talker: talker('talkers'), other: talker('others') } });
    const a = await runtime.spawn('talker', { id: 'a' });
    await runtime.spawn('other', { id: 'b' });
    expect(await a.ask({ type: 'consult', to: 'other/b', event: { type: DONE } })).toEqual({
      failed: 'EVENT_RESERVED',
    });
  });

  test('is refused by the thread that it comes to when its own thread lets it out', async () => {
    const runtime = await start({
      agents: {
        talker: talker('evil'),
        impostor: fixture('impostor', { threadId: 'evil' }),
        other: talker('others'),
      },
    });
    const b = await runtime.spawn('other', { id: 'b' });
    const a = await runtime.spawn('talker', { id: 'a' });
    const to = 'other/b';
    await a.deliver({ type: 'forward', to, event: { type: 'note' } });
    await expect.poll(() => b.ask({ type: 'heard' })).toHaveLength(1);
    const refused = nextEvent<{ message: string }>(
      (listener) => runtime.on('warning', listener),
      ({ message }) => message.includes('malformed batch'),
    );
    const impostor = await runtime.spawn('impostor');
    await impostor.deliver({ type: 'rename', as: DONE });

    await a.deliver({ type: 'forward', to, event: { type: 'alias', output: 1 } });
    await refused;
    expect(await b.ask({ type: 'heard' })).toHaveLength(1);
    // What was refused stays where it was sent from.
    await runtime.stop({ timeoutMs: 500 });
  });
});

describe('a thread that tells its host what only XState or the runtime tells', () => {
  /** A machine of the host with an agent as its child; what it hears of `types`. */
  async function parentOf(agent: 'speaker' | 'impostor') {
    const runtime = await start({
      agents: {
        speaker: fixture('impostor', { export: 'speaker', threadId: 'closed' }),
        impostor: fixture('impostor', { threadId: 'closed' }),
      },
    });
    const machine = setup({
      types: { context: {} as { heard: string[]; child: AnyActorRef }, events: {} as AnyEventObject },
      actors: { child: runtime.logic(agent) },
    }).createMachine({
      context: ({ spawn }) => ({ heard: [], child: spawn('child', { id: 'child' }) }),
      on: {
        '*': { actions: assign({ heard: ({ context, event }) => [...context.heard, event.type] }) },
      },
    });
    const parent = createActor(machine).start();
    await expect.poll(() => runtime.status().instances[0]?.state, { timeout: 60_000 }).toBe('running');
    const letters: DeadLetter[] = [];
    runtime.on('dead-letter', (letter) => letters.push(letter));
    const warnings: string[] = [];
    runtime.on('warning', ({ message }) => warnings.push(message));
    return { runtime, parent, child: parent.getSnapshot().context.child, letters, warnings };
  }

  test('is not believed by a machine of the host that is its parent', async () => {
    const { parent, child, letters } = await parentOf('speaker');
    for (const type of reserved) child.send({ type: 'to parent', event: { type } });
    child.send({ type: 'to parent', event: { type: 'well', error: new Error('told') } });
    child.send({ type: 'to parent', event: { type: DONE, error: new Error('told') } });
    child.send({ type: 'to parent', event: { type: 'the end' } });
    const { context } = await waitFor(parent, (state) => state.context.heard.includes('the end'));
    expect(context.heard).toEqual(['well', 'the end']);
    expect(letters.map(({ event }) => (event as AnyEventObject).type)).toEqual([...reserved, DONE]);
    for (const letter of letters) expect(letter).toMatchObject({ reason: 'reserved', toParent: true });
  });

  test('is not believed by those who listen to what it emits', async () => {
    const { child, warnings } = await parentOf('speaker');
    const heard: string[] = [];
    child.on('*', ({ type }: AnyEventObject) => void heard.push(type));
    for (const type of [...reserved, 'the end']) child.send({ type: 'to listeners', event: { type } });
    await expect.poll(() => heard).toEqual(['the end']);
    expect(warnings).toHaveLength(reserved.length);
    expect(warnings[0]).toContain('is a type reserved for XState');
  });

  test('ends no machine of the host with what is no event', async () => {
    const { parent, child, warnings } = await parentOf('impostor');
    const lies: unknown[] = [null, undefined, 'text', 5, {}, { type: 7 }, [], { type: { toString: 1 } }];
    for (const kind of [REPORT.parentEvent, REPORT.emitted])
      for (const lie of lies) child.send({ type: 'report', items: [kind, 0, lie] });
    for (const lie of lies)
      child.send({ type: 'report', items: [REPORT.withErrors, 0, [REPORT.parentEvent, lie, []]] });
    child.send({ type: 'report', items: [REPORT.parentEvent, 0, { type: 'the end' }] });
    const { context } = await waitFor(parent, (state) => state.context.heard.length > 0);
    expect(context.heard).toEqual(['the end']);
    // Not for each of them: whoever sends many floods nobody's log.
    expect(warnings.length).toBeGreaterThan(0);
  });

  test('has the host send it by no replay of a letter that it made up', async () => {
    const { runtime, child, letters } = await parentOf('impostor');
    for (const type of [DONE, `xstate.done.actor.${'x'.repeat(300)}`]) {
      const letter = { address: 'impostor/1', reason: 'expired', event: { type } };
      child.send({ type: 'report', items: [REPORT.letter, 0, letter] });
    }
    await expect.poll(() => letters).toHaveLength(2);
    for (const { id } of letters)
      await expect(runtime.deadLetters.replay(id)).rejects.toMatchObject({ code: 'REPLAY_REFUSED' });
  });
});

test('an event that somebody sends by the page of the inspector is refused so as well', async () => {
  const agents = { counter: fixture('talkers', { export: 'counter' }) };
  const runtime = await start({ agents }, { inspect: { page: 'local', port: 0, allowSend: true } });
  const counter = await runtime.spawn('counter');
  const link = runtime.inspector?.link() ?? '';
  const [, session = ''] = /name="session" content="([\w-]+)"/.exec(await (await fetch(link)).text()) ?? [];
  const send = (type: string): Promise<Response> =>
    fetch(new URL('/send', link), {
      method: 'POST',
      headers: { authorization: `Bearer ${session}`, 'content-type': 'application/json' },
      body: JSON.stringify({ address: counter.address, event: { type } }),
    });
  for (const type of reserved) {
    const refused = await send(type);
    expect([refused.status, await refused.text()]).toEqual([409, expect.stringContaining('EVENT_RESERVED')]);
  }
  expect((await send('note')).status).toBe(204);
  await expect.poll(() => counter.ask({ type: 'read' })).toMatchObject({ n: 1 });
});

test("the host's own program may tell an agent what it likes, as a local holder of an actor may", async () => {
  const runtime = await start({ agents: { counter: fixture('talkers', { export: 'counter' }) } });
  const counter = await runtime.spawn('counter');
  await counter.deliver({ type: DONE });
  expect(await counter.ask({ type: 'read' })).toEqual({ n: 1, from: ['host'] });
});
