import { describe, expect, it } from 'vitest';
import { nextTurn } from './fixtures/fake-thread.ts';
import { createRig } from './fixtures/outbox-with-thread.ts';

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

  it('may be failures, and may be missing', async () => {
    const rig = createRig();
    const agent = rig.mailbox();
    for (const tag of [1, 2, 3]) rig.send(agent, 'ask', tag);
    await nextTurn();

    await rig.thread.acknowledge([1, 0, { name: 'Error' }, 3, 1, 'three']);

    expect(rig.answered).toEqual([
      [1, false, { name: 'Error' }],
      [3, true, 'three'],
    ]);
    expect(agent.mailbox.depth).toBe(0);
  });

  it('count after the instance has left its slot: it did answer', async () => {
    const rig = createRig();
    const agent = rig.mailbox();
    rig.send(agent, 'ask', 1);
    await nextTurn();

    rig.outbox.detach(agent.attachment);
    await rig.thread.workOff();

    expect(rig.answered).toEqual([[1, true, { answerTo: 'ask' }]]);
    expect(agent.mailbox.depth).toBe(1);
  });
});

describe('a thread that forges an ack', () => {
  it('answers nobody but those who asked in that batch', async () => {
    const rig = createRig({ maxInFlight: 1 });
    const agent = rig.mailbox();
    rig.send(agent, 'delivery', -5);
    rig.send(agent, 'mine', 7);
    await nextTurn();
    rig.send(agent, 'not sent yet', 8);

    const forged = [-5, 6, 8].flatMap((tag) => [tag, 1, 'forged']);
    await rig.thread.acknowledge([7, 1, 'mine', 7, 1, 'twice', ...forged]);

    expect(rig.answered).toEqual([[7, true, 'mine']]);
    expect(rig.delivered).toEqual([-5]);
  });

  it('is not heard any more from the first answer that is not its own', async () => {
    const rig = createRig();
    const agent = rig.mailbox();
    rig.send(agent, 'mine', 7);
    await nextTurn();

    await rig.thread.acknowledge([6, 1, 'forged', 7, 1, 'mine']);

    expect(rig.answered).toEqual([]);
    expect(agent.mailbox.depth).toBe(0);
  });

  it.each([
    ['no list', 'x'],
    ['an object', { length: 3, 0: 1 }],
    ['a number', 5],
    ['nothing', undefined],
    ['half a triple', [1]],
    ['text for tags', ['1', 1, 'x']],
    ['objects for tags', [{}, 1, 'x', null, 1, 'x']],
  ])('answers nobody with %s, and the batch counts as handled', async (_what, ack) => {
    const rig = createRig();
    const agent = rig.mailbox();
    rig.send(agent, 'ask', 1);
    await nextTurn();

    await rig.thread.acknowledge(ack as never);

    expect(rig.answered.filter(([tag]) => tag !== 1)).toEqual([]);
    expect([agent.mailbox.depth, rig.outbox.inFlight]).toEqual([0, 0]);
  });

  it('cannot hold the host up with four thousand million answers', async () => {
    const rig = createRig();
    const agent = rig.mailbox();
    rig.send(agent, 'ask', 1);
    await nextTurn();
    const endless: unknown[] = [1, 1, 'mine'];
    endless.length = 4_000_000_002;

    await rig.thread.acknowledge(endless);

    expect(rig.answered).toEqual([[1, true, 'mine']]);
  });
});
