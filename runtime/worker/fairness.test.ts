import { fromTransition, sendTo, setup, type AnyActorLogic, type AnyEventObject } from 'xstate';
import { describe, expect, it } from 'vitest';
import { asked, told, whole } from '../mailbox/fixtures/envelopes.ts';
import { termsOf } from '../mailbox/terms.ts';
import { replyTo } from './agent.ts';
import { turnsOver, type TurnsRig } from './fixtures/turns-rig.ts';

/** Who handled what, in the order of all. */
type Order = string[];

const events = (count: number, type = 'go'): AnyEventObject[] =>
  Array.from({ length: count }, (_, n) => ({ type, n }));

/** Notes each event under its name; `work` is what an event takes. */
function noting(order: Order, name: string, work: () => void = () => {}): AnyActorLogic {
  return fromTransition((state, event: AnyEventObject) => {
    order.push(name);
    work();
    if (event.type === 'ask') replyTo(event, name);
    return state;
  }, 0);
}

/** How often the longest row of `name` comes without another between. */
function longestRow(order: Order, name: string): number {
  let [longest, row] = [0, 0];
  for (const one of order) {
    row = one === name ? row + 1 : 0;
    longest = Math.max(longest, row);
  }
  return longest;
}

/** Sends to itself for ever, once it was told to. */
function selfish(order: Order, name = 'selfish'): AnyActorLogic {
  return fromTransition((state, event: AnyEventObject, { self }) => {
    order.push(event.type === 'own' ? name : `${name}:${event.type}`);
    if (event.type === 'own' || event.type === 'start') self.send({ type: 'own' });
    if (event.type === 'ask') replyTo(event, 'heard');
    return state;
  }, 0);
}

/** Two children that send to each other for ever, once they were told to. */
function pingPong(order: Order): AnyActorLogic {
  const player = setup({}).createMachine({
    on: {
      ball: {
        actions: [
          () => void order.push('ball'),
          sendTo(
            ({ system, event }) => system.get(event['to'] as string),
            ({ event }) => ({ type: 'ball', to: event['to'] === 'a' ? 'b' : 'a' }),
          ),
        ],
      },
    },
  });
  return setup({ actors: { player } }).createMachine({
    invoke: [
      { id: 'a', systemId: 'a', src: 'player' },
      { id: 'b', systemId: 'b', src: 'player' },
    ],
    on: {
      start: { actions: sendTo('a', { type: 'ball', to: 'b' }) },
      '*': { actions: ({ event }) => void order.push(`selfish:${event.type}`) },
      ask: {
        actions: ({ event }) => {
          order.push('selfish:ask');
          replyTo(event, 'heard');
        },
      },
    },
  });
}

describe('an instance with much to do', () => {
  it('delays another by sixteen envelopes at most, in one batch and in the next', async () => {
    const order: Order = [];
    const { loop, deliver, acked } = turnsOver(noting(order, 'busy'), noting(order, 'quiet'));

    deliver([...told(0, ...events(1000)), ...told(1, ...events(200))]);
    await loop.rounds(1);
    deliver(told(1, ...events(100)));
    await loop.rounds();

    const firstQuiet = order.indexOf('quiet');
    const lastQuiet = order.lastIndexOf('quiet');
    expect(firstQuiet).toBe(16);
    expect(longestRow(order.slice(0, lastQuiet), 'busy')).toBe(16);
    expect(acked()).toEqual([1000, 300]);
  });

  it('delays one that comes later by one turn of it', async () => {
    const order: Order = [];
    const { loop, deliver } = turnsOver(noting(order, 'busy'), noting(order, 'late'));
    deliver(told(0, ...events(1000)));
    await loop.rounds(1);
    const before = order.length;

    deliver(told(1, ...events(3)));
    await loop.rounds();

    expect(order.indexOf('late') - before).toBeLessThanOrEqual(16);
  });

  it('goes round with any number of others', async () => {
    const order: Order = [];
    const names = Array.from({ length: 10 }, (_, n) => `i${n}`);
    const { loop, deliver } = turnsOver(...names.map((name) => noting(order, name)));

    deliver(names.flatMap((_name, slot) => told(slot, ...events(64))));
    await loop.rounds();

    expect(order).toHaveLength(640);
    for (let turn = 0; turn < 40; turn++) {
      const row = order.slice(turn * 16, turn * 16 + 16);
      expect(new Set(row)).toEqual(new Set([names[turn % 10]]));
    }
  });

  it('gets fewer envelopes a turn while each takes its time, and sixteen again when none does', async () => {
    const order: Order = [];
    let ms = 5;
    const rig = turnsOver(
      noting(order, 'slow', () => {
        rig.loop.time += ms;
      }),
      noting(order, 'quick'),
    );
    const { loop, deliver } = rig;
    deliver([...told(0, ...events(200)), ...told(1, ...events(400))]);
    for (let round = 0; round < 12; round++) loop.round();

    // One turn of sixteen before it shows; then four; then one.
    expect(longestRow(order.slice(20), 'slow')).toBeLessThanOrEqual(4);
    const later = order.slice(order.indexOf('quick', 60));
    expect(longestRow(later.slice(0, later.lastIndexOf('quick')), 'slow')).toBe(1);

    ms = 0;
    order.length = 0;
    await loop.rounds();
    expect(longestRow(order.slice(0, order.lastIndexOf('quick')), 'slow')).toBe(16);
  });

  it.each([
    ['is noticed at once when it is new', 0, false, 1],
    ['is noticed after its turns in a row when it was fast', 64, false, 16],
    ['is noticed after one turn when it was fast and the host has looked meanwhile', 64, true, 1],
  ])('and takes its time: %s', (_when, fast, looked, most) => {
    const order: Order = [];
    let ms = 0;
    const rig = turnsOver(
      noting(order, 'slow', () => {
        rig.loop.time += ms;
        if (looked && ms > 0) rig.progress.look();
      }),
    );
    const { loop, deliver } = rig;
    deliver(told(0, ...events(fast + 30)));
    if (fast > 0) loop.round();
    expect(order).toHaveLength(fast);
    ms = 400;
    loop.round();
    expect(order.length - fast).toBe(most);
    // Until it is fast again.
    for (let round = 1; round <= 5; round++) {
      loop.round();
      expect(order.length - fast).toBe(most + round);
    }
  });

  it('and is slow with what it sends itself: its timers have their turn after one of these', () => {
    const order: Order = [];
    const rig = turnsOver(
      fromTransition((state, event: AnyEventObject, { self }) => {
        order.push(event.type);
        rig.loop.time += event.type === 'own' ? 400 : 0;
        for (let n = 0; n < 50 && event.type === 'start'; n++) self.send({ type: 'own' });
        return state;
      }, 0),
    );
    rig.deliver(told(0, { type: 'start' }));
    const before = order.length;
    expect(before).toBeLessThan(20);
    for (let round = 1; round <= 5; round++) {
      rig.loop.round();
      expect(order.length - before).toBe(round);
    }
  });

  it('and is slow in what an idle thread takes at once: the rest, and what comes then, wait for slices', () => {
    const order: Order = [];
    const rig = turnsOver(
      noting(order, 'slow', () => {
        rig.loop.time += 400;
      }),
      noting(order, 'other'),
    );
    const { loop, deliver } = rig;
    deliver([...told(0, ...events(10)), ...told(1, ...events(4))]);
    expect(order).toEqual(['slow']);
    deliver(told(1, ...events(1)));
    expect(order).toEqual(['slow']);
    loop.round();
    expect(order).toEqual(['slow', 'slow']);
    loop.round();
    expect(order.slice(2)).toEqual(['other', 'other', 'other', 'other', 'other', 'slow']);
  });

  it('and is slow in one batch after the other: the second is not let in at once', () => {
    const order: Order = [];
    const rig = turnsOver(
      noting(order, 'slow', () => {
        rig.loop.time += 400;
        rig.progress.look();
      }),
    );
    for (let n = 0; n < 3; n++) rig.deliver(told(0, ...events(1)));
    expect(order).toEqual(['slow']);
    rig.loop.round();
    expect(order).toEqual(['slow', 'slow']);
  });

  it('lets the loop go round after 64 turns, and after two milliseconds', () => {
    const order: Order = [];
    let ms = 0;
    const rig = turnsOver(
      ...['a', 'b', 'c', 'd', 'e', 'f'].map((name) =>
        noting(order, name, () => {
          rig.loop.time += ms;
        }),
      ),
    );
    const { loop, deliver } = rig;
    deliver([0, 1, 2, 3, 4, 5].flatMap((slot) => told(slot, ...events(100))));

    loop.round();
    expect(order).toHaveLength(64);
    loop.round();
    expect(order).toHaveLength(128);
    ms = 3;
    loop.round();
    expect(order.length - 128).toBeLessThanOrEqual(16);
    expect(loop.idle).toBe(false);
  });

  it('has the host told how far it is before its batch is complete', () => {
    const order: Order = [];
    const rig = turnsOver(
      noting(order, 'slow', () => {
        rig.loop.time += 1;
      }),
    );
    const { loop, deliver, partial, progress } = rig;
    deliver(told(0, ...events(200)));

    for (let round = 0; round < 4; round++) loop.round();

    expect(partial.length).toBeGreaterThan(2);
    const said = partial.reduce((sum, [[, count = 0]]) => sum + count, 0);
    expect(said).toBe(progress.handled(0));
  });
});

describe.each([
  ['an instance that sends to itself for ever', selfish],
  ['an instance whose children send to each other for ever', pingPong],
])('%s', (_what, logic) => {
  function begun(): { rig: TurnsRig; order: Order } {
    const order: Order = [];
    const rig = turnsOver(logic(order), noting(order, 'neighbour'));
    rig.deliver(told(0, { type: 'start' }));
    return { rig, order };
  }

  it('goes on, round by round of the loop, and gives every one of them back', () => {
    const { rig, order } = begun();
    for (let round = 0; round < 50; round++) {
      const before = order.length;
      rig.loop.round();
      expect(order.length).toBeGreaterThan(before);
      expect(order.length - before).toBeLessThanOrEqual(1001 + 64);
      expect(rig.loop.idle).toBe(false);
    }
  });

  it('does not keep its neighbours from their turns', async () => {
    const { rig, order } = begun();
    await rig.loop.rounds(3);

    rig.deliver([...told(1, ...events(40)), ...asked(1, [[7, { type: 'ask' }]])]);
    await rig.loop.rounds(10);

    expect(order.filter((one) => one === 'neighbour')).toHaveLength(41);
    expect(rig.acked()).toEqual([1, 41]);
    expect(rig.acks.flatMap((ack) => whole(ack)[2])).toEqual(['neighbour']);
  });

  it('handles what comes from outside, within 1024 of its own', async () => {
    const { rig, order } = begun();
    await rig.loop.rounds(3);
    const before = order.length;

    rig.deliver([...told(0, ...events(3)), ...asked(0, [[9, { type: 'ask' }]])]);
    await rig.loop.rounds(200);

    const outside = order.flatMap((one, at) => (one.startsWith('selfish:') ? [at] : []));
    const late = outside.filter((at) => at >= before);
    expect(late).toHaveLength(4);
    // Children may end a conversation of a thousand events in one turn.
    expect((late[0] as number) - before).toBeLessThanOrEqual(1024 + 1001);
    expect(rig.acked()).toEqual([5, 0]);
    expect(rig.acks.flatMap((ack) => whole(ack)[2])).toEqual(['heard']);
  });

  it('is stopped like any other, and then nothing of it is left', async () => {
    const { rig, order } = begun();
    await rig.loop.rounds(3);
    rig.deliver(told(0, ...events(3)));

    rig.instance(0).stop();
    rig.turns.leave(rig.instance(0));
    const before = order.length;
    await rig.loop.rounds(20);

    expect(order.length).toBe(before);
    expect(rig.loop.idle).toBe(true);
  });

  it('from its start does not keep others from theirs', async () => {
    const order: Order = [];
    const first = setup({ actors: { kid: logic(order) } }).createMachine({
      invoke: { id: 'kid', src: 'kid' },
      entry: sendTo('kid', { type: 'start' }),
    });
    const rig = turnsOver(first, noting(order, 'neighbour'));
    rig.deliver(told(1, ...events(20)));
    await rig.loop.rounds(20);

    expect(order.filter((one) => one === 'neighbour')).toHaveLength(20);
  });
});

describe('an instance that has ended', () => {
  const ending = fromTransition((state, event: AnyEventObject, { self }) => {
    if (event.type !== 'own') for (let n = 0; n < 20; n++) self.send({ type: 'own' });
    if (event.type === 'fail') throw new Error('on purpose');
    return state;
  }, 0);

  it('is forgotten, with what it had sent itself', async () => {
    const rig = turnsOver(ending, noting([], 'other'));

    rig.deliver([...told(0, { type: 'go' }, { type: 'fail' }, { type: 'go' }), ...told(1, ...events(2))]);
    await rig.loop.rounds(20);

    expect(rig.loop.idle).toBe(true);
    expect(rig.progress.handled(0)).toBe(2);
    expect(rig.acked()[1]).toBe(2);
    // Who ended is counted from the shared progress, so no ack names it.
    rig.deliver(told(0, { type: 'go' }));
    await rig.loop.rounds(20);
    expect(rig.progress.handled(0)).toBe(2);
    expect(rig.loop.idle).toBe(true);
  });

  it('is not woken any more', () => {
    const rig = turnsOver(ending);
    rig.instance(0).stop();

    rig.turns.wake(rig.instance(0));

    expect(rig.loop.idle).toBe(true);
  });

  it('within a batch has that batch acknowledged, whichever of its events it was', async () => {
    for (const at of [0, 1, 5, 19]) {
      const rig = turnsOver(ending, noting([], 'other'));
      const row = events(20);
      row[at] = { type: 'fail' };

      rig.deliver([...told(0, ...row), ...told(1, ...events(20)), ...told(0, ...events(20))]);
      await rig.loop.rounds(50);

      expect([at, rig.acked()[1]]).toEqual([at, 20]);
      expect(rig.progress.handled(0)).toBe(at + 1);
    }
  });
});

describe('an ask whose time is up before its turn', () => {
  it('is not handled but reported, and counts as seen; others are', async () => {
    const order: Order = [];
    const rig = turnsOver(noting(order, 'agent'));
    rig.loop.time = 100;
    const late = { type: 'ask', n: 1 };

    rig.deliver([
      ...asked(0, [[1, late]], termsOf(99, 0)),
      ...asked(0, [[2, { type: 'ask', n: 2 }]], termsOf(150, 0)),
      ...asked(0, [[3, { type: 'ask', n: 3 }]]),
      ...told(0, { type: 'go' }),
    ]);
    await rig.loop.rounds();

    expect(order).toHaveLength(3);
    expect(rig.expired).toEqual([{ slot: 0, event: late }]);
    expect(rig.acks.flatMap((ack) => [...whole(ack)[1]])).toEqual([2, 3]);
    // Its asker learns that nobody has begun with it.
    expect(rig.acks.flatMap((ack) => [...whole(ack)[3]])).toEqual([1, null]);
    expect([rig.acked(), rig.progress.handled(0)]).toEqual([[4], 4]);
  });

  it('while it waited for others is found then', async () => {
    const order: Order = [];
    const rig = turnsOver(
      noting(order, 'slow', () => {
        rig.loop.time += 10;
      }),
    );

    const asks = Array.from({ length: 10 }, (_, n) => [n + 1, { type: 'ask', n }] as const);
    rig.deliver([...told(0, ...events(20)), ...asked(0, asks, termsOf(250, 0))]);
    await rig.loop.rounds();

    const answered = rig.acks.flatMap((ack) => [...whole(ack)[1]]);
    expect(answered.length + rig.expired.length).toBe(10);
    expect(rig.expired.length).toBeGreaterThan(0);
    expect(order).toHaveLength(20 + answered.length);
  });
});

it('an ask whose answer comes after many events of the instance to itself is answered then, though nothing follows', async () => {
  let ask: AnyEventObject | undefined;
  const slow = fromTransition((left: number, event: AnyEventObject, { self }) => {
    if (event.type === 'ask') ask = event;
    if (left > 0) self.send({ type: 'own' });
    else replyTo(ask as AnyEventObject, 'at last');
    return left - 1;
  }, 1500);
  const { loop, deliver, acks } = turnsOver(slow);
  deliver(asked(0, [[7, { type: 'ask' }]]));
  // No time passes: a thread that tells how far it is every few milliseconds tells nothing.
  await loop.rounds(3000);
  expect(loop.idle).toBe(true);
  expect(acks.flatMap((ack) => whole(ack)[2])).toEqual(['at last']);
});
