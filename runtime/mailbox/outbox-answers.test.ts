import { describe, expect, it } from 'vitest';
import { nextTurn } from './fixtures/fake-thread.ts';
import { createRig } from './fixtures/outbox-with-thread.ts';
import type { Ack } from './outbox.ts';

describe('the answers that come with an ack', () => {
  it('go to those who asked, whatever was sent around them', async () => {
    const rig = createRig();
    const agent = rig.mailbox();
    rig.send(agent, 'tell');
    rig.send(agent, 'ask', 1);
    rig.send(agent, 'delivery', -2);
    rig.send(agent, 'ask again', 3);
    await rig.thread.workOff();

    expect(rig.answered).toEqual([
      [1, true, { answerTo: 'ask' }],
      [3, true, { answerTo: 'ask again' }],
    ]);
    expect(rig.delivered).toEqual([-2]);
  });

  it('may be failures, may come later, and may be missing', async () => {
    const rig = createRig();
    const agent = rig.mailbox();
    for (const tag of [1, 2, 3, 4]) rig.send(agent, 'ask', tag);
    await nextTurn();

    await rig.thread.acknowledge([[0, 4], [3], ['three'], [1, { name: 'Error' }], [0, 4]]);

    expect(rig.answered).toEqual([
      [3, true, 'three'],
      [1, false, { name: 'Error' }],
    ]);
    expect(rig.deferred).toEqual([[0, 4]]);
    expect(agent.mailbox.depth).toBe(0);
  });

  it('count after the instance has left its slot: it did answer', async () => {
    const rig = createRig();
    const agent = rig.mailbox();
    rig.send(agent, 'ask', 1);
    await nextTurn();

    rig.outbox.detach(agent.attachment, 0);
    await rig.thread.workOff();

    expect(rig.answered).toEqual([[1, true, { answerTo: 'ask' }]]);
    expect(agent.mailbox.depth).toBe(1);
  });

  it('come before their batch is complete, when the thread says so', async () => {
    const rig = createRig();
    const agent = rig.mailbox();
    for (const tag of [1, 2, 3]) rig.send(agent, `ask ${tag}`, tag);
    await nextTurn();

    await rig.thread.work(2);
    rig.outbox.acknowledge(rig.thread.takeAck());

    expect(rig.answered.map(([tag]) => tag)).toEqual([1, 2]);
    expect([agent.mailbox.depth, agent.mailbox.inFlight, rig.outbox.inFlight]).toEqual([1, 1, 1]);
    await rig.thread.workOff();
    expect(rig.answered.map(([tag]) => tag)).toEqual([1, 2, 3]);
    expect([agent.mailbox.depth, rig.outbox.inFlight]).toEqual([0, 0]);
  });

  it('do not come any more for an instance that has gone with its thread: those who asked are told', async () => {
    const rig = createRig();
    const agent = rig.mailbox();
    for (const [event, tag] of [
      ['handled', 1],
      ['delivered', -2],
      ['handled too', 3],
      ['waits', 4],
    ] as const)
      rig.send(agent, event, tag);
    await nextTurn();
    rig.outbox.close();
    await rig.thread.die();

    const unanswered: number[] = [];
    rig.outbox.detach(agent.attachment, 3, (tag) => unanswered.push(tag));

    expect(unanswered).toEqual([1, 3]);
    expect(rig.delivered).toEqual([-2]);
    expect([agent.mailbox.depth, agent.mailbox.queued]).toEqual([1, 1]);
  });
});

describe('an ack that lies', () => {
  it.each<[string, Ack[0], depth: number]>([
    ['more than was sent', [0, 1000], 0],
    ['less than nothing', [0, -3], 4],
    ['the same twice', [0, 2, 0, 2], 2],
    ['of a slot that nobody has', [7, 4, -1, 4, 0.5, 4], 4],
    ['half an envelope', [0, 0.5], 4],
    ['no number', [0, 'x' as never], 4],
    ['a number in words', [0, '2' as never], 4],
    ['not even that', [0, Number.NaN], 4],
    ['nothing', [0, undefined as never], 4],
    ['endlessly many', [0, Infinity], 4],
    ['half a pair', [0], 4],
  ])('about how many were handled settles nothing that was not sent: %s', async (_what, handled, depth) => {
    const rig = createRig();
    const agent = rig.mailbox();
    for (let n = 0; n < 4; n++) rig.send(agent, n, n === 3 ? -4 : 0);
    await nextTurn();

    await rig.thread.acknowledge([handled]);

    expect(agent.mailbox.depth).toBe(depth);
    expect(agent.mailbox.handled).toBe(4 - depth);
    expect(rig.delivered).toEqual(depth === 0 ? [-4] : []);
    // Whatever it said, what is left is told to the next incarnation in its order.
    rig.outbox.detach(agent.attachment, 4 - depth);
    const next = createRig();
    next.outbox.attach(agent.mailbox, 0);
    await next.thread.workOff();
    const left = [0, 1, 2, 3].slice(4 - depth);
    expect(next.thread.handled.map(({ event }) => event)).toEqual(left);
  });

  it('for another instance of the thread frees no more of it than the thread has', async () => {
    const rig = createRig({ maxInFlight: 1 });
    const [one, two] = [rig.mailbox(), rig.mailbox()];
    rig.send(one, 'a');
    rig.send(two, 'b');
    await nextTurn();
    rig.send(two, 'c');

    rig.outbox.acknowledge([[1, 50]]);

    expect([one.mailbox.depth, two.mailbox.depth, two.mailbox.queued]).toEqual([1, 1, 0]);
    await rig.thread.workOff();
    expect([one.mailbox.depth, two.mailbox.depth, rig.outbox.inFlight]).toEqual([0, 0, 0]);
  });

  it('about the past of a slot says nothing about who has it now', async () => {
    const rig = createRig();
    const [old, next] = [rig.mailbox(), rig.mailbox()];
    rig.send(old, 'old', -1);
    await nextTurn();
    rig.outbox.detach(old.attachment, 0);
    rig.outbox.detach(next.attachment, 0);
    rig.outbox.attach(next.mailbox, 0);
    expect(next.mailbox.offer('new', -2)).toBe(true);

    // In the thread, who has ended is not counted any more; here it is all the same.
    await rig.thread.acknowledge([[0, 1]]);

    expect(rig.delivered).toEqual([]);
    expect([old.mailbox.queued, next.mailbox.queued]).toEqual([1, 1]);
  });

  it.each([
    ['no list', 'x'],
    ['an object', { length: 3, 0: 1 }],
    ['a number', 5],
    ['nothing', undefined],
    ['null', null],
    ['an empty list', []],
    ['no pairs', ['x']],
  ])('by being %s settles and answers nothing, and the batch is over', async (_what, ack) => {
    const rig = createRig();
    const agent = rig.mailbox();
    rig.send(agent, 'ask', 1);
    await nextTurn();

    await rig.thread.acknowledge(ack as never);

    expect(rig.answered).toEqual([]);
    expect([agent.mailbox.depth, rig.outbox.inFlight]).toEqual([1, 0]);
  });

  it('cannot hold the host up with four thousand million pairs', async () => {
    const rig = createRig();
    const agent = rig.mailbox();
    rig.send(agent, 'tell');
    await nextTurn();
    const endless: number[] = [0, 1];
    endless.length = 4_000_000_002;

    await rig.thread.acknowledge([endless]);

    expect(agent.mailbox.depth).toBe(0);
  });
});
