import fc from 'fast-check';
import { fromTransition, setup, type AnyEventObject } from 'xstate';
import { describe, expect, it } from 'vitest';
import { Mailbox } from '../mailbox/mailbox.ts';
import { isClonable, type WireError } from '../wire/errors.ts';
import { createProgress } from '../wire/progress.ts';
import { replyTo } from './agent.ts';
import * as agents from './fixtures/agents.ts';
import { host } from './fixtures/hosted.ts';
import type { HostedInstance } from './hosted-instance.ts';
import { clonableAnswers, Turns } from './turns.ts';

/** Turns over real instances, one for each logic, in the slots 0, 1, 2 … */
function start(...logics: Parameters<typeof host>[0][]): {
  turns: Turns;
  instances: Map<number, HostedInstance>;
  handled: () => number[];
  acks: number[];
} {
  const progress = createProgress();
  const acks: number[] = [];
  const instances = new Map<number, HostedInstance>();
  logics.forEach((logic, slot) => {
    progress.reserve(slot);
    instances.set(slot, host(logic, { slot }).instance);
  });
  const turns = new Turns({ instances, progress, beforeAck: () => acks.push(progress.handled(0)) });
  return { turns, instances, handled: () => logics.map((_logic, slot) => progress.handled(slot)), acks };
}

/** Logic that writes into a list of the test. */
function writing(seen: unknown[]): ReturnType<typeof fromTransition> {
  return fromTransition((state, event: AnyEventObject) => {
    seen.push(event['n'] ?? event.type);
    if (event.type === 'ask') replyTo(event, `answer ${event['n']}`);
    return state;
  }, undefined as unknown);
}

const event = (n: number): AnyEventObject => ({ type: 'go', n });

describe('a batch', () => {
  it('is handled in order, counted for each slot, and acknowledged with nothing to say', async () => {
    const seen: unknown[] = [];
    const { turns, handled } = start(writing(seen), writing(seen));

    const ack = await turns.deliver([0, 2, event(1), event(2), 1, 1, event(3), 0, 1, event(4)]);

    expect(ack).toBeNull();
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(handled()).toEqual([3, 1]);
  });

  it('is never handled inside deliver, nor in the microtasks after it', async () => {
    const seen: unknown[] = [];
    const { turns } = start(writing(seen));

    const ack = turns.deliver([0, 1, event(1)]);
    await Promise.resolve();
    expect(seen).toEqual([]);

    await ack;
    expect(seen).toEqual([1]);
  });

  it('may be empty', async () => {
    expect(await start(agents.log).turns.deliver([])).toBeNull();
  });

  it('has what it caused told before it is acknowledged, and each has an ack of its own', async () => {
    const { turns, acks } = start(agents.log);
    const order: string[] = [];

    const both = [
      [0, 2, event(1), event(2)],
      [0, 1, event(3)],
    ].map((batch, n) => turns.deliver(batch).then(() => order.push(`ack ${n} after ${acks.length} flushes`)));
    await Promise.all(both);

    expect(acks).toEqual([2, 3]);
    expect(order).toEqual(['ack 0 after 1 flushes', 'ack 1 after 2 flushes']);
  });

  it('of any make-up is handled once and in order, asks answered, over any number of batches', async () => {
    const tag = fc.constantFrom(0, 0, 0, 1);
    const load = fc.array(fc.tuple(fc.nat({ max: 2 }), tag), { maxLength: 400, size: 'max' });
    await fc.assert(
      fc.asyncProperty(load, fc.integer({ min: 1, max: 300 }), async (envelopes, perBatch) => {
        const seen: unknown[][] = [[], [], []];
        const { turns, handled } = start(...seen.map((list) => writing(list)));
        const boxes = seen.map(() => new Mailbox(1000));
        envelopes.forEach(([slot, ask], n) =>
          boxes[slot]?.offer({ type: ask ? 'ask' : 'go', n }, ask * (n + 1)),
        );
        const acks: Promise<unknown[] | null>[] = [];
        while (boxes.some(({ queued }) => queued > 0)) {
          const batch: unknown[] = [];
          boxes.forEach((box, slot) => box.take(batch, slot, perBatch));
          acks.push(turns.deliver(batch));
        }

        const answers = (await Promise.all(acks)).flatMap((ack) => ack ?? []);

        for (const slot of [0, 1, 2]) {
          expect(seen[slot]).toEqual(envelopes.flatMap(([to], n) => (to === slot ? [n] : [])));
        }
        expect(handled()).toEqual(seen.map(({ length }) => length));
        const asked = envelopes.flatMap(([, ask], n) => (ask ? [[n + 1, 1, `answer ${n}`]] : []));
        const got = Array.from({ length: answers.length / 3 }, (_, n) => answers.slice(n * 3, n * 3 + 3));
        expect(got.sort((a, b) => (a[0] as number) - (b[0] as number))).toEqual(asked);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a flood', () => {
  it('leaves timers, immediates and promises of the thread their turn', async () => {
    const { turns, handled } = start(agents.slow);
    const between = { timers: 0, immediates: 0 };
    let over = false;
    const timer = (): void => {
      if (over) return;
      between.timers += 1;
      setTimeout(timer, 0);
    };
    const immediate = (): void => {
      if (over) return;
      between.immediates += 1;
      setImmediate(immediate);
    };
    setTimeout(timer, 0);
    setImmediate(immediate);

    const batches = Array.from({ length: 2 }, () => [
      0,
      5000,
      ...Array.from({ length: 5000 }, (_, n) => event(n)),
    ]);
    await Promise.all(batches.map((batch) => turns.deliver(batch)));
    over = true;

    // 10 000 turns of 20 µs in slices of 2 ms; not one of them would run between turns in one go.
    expect(handled()).toEqual([10_000]);
    expect(between.timers).toBeGreaterThan(10);
    expect(between.immediates).toBeGreaterThan(10);
  });
});

describe('an ask', () => {
  it('is answered with what the agent replied in its turn', async () => {
    const { turns } = start(agents.log);

    const ack = await turns.deliver([
      0,
      1,
      event(8),
      0,
      -1,
      41,
      { type: 'count' },
      0,
      -1,
      42,
      { type: 'list' },
    ]);

    expect(ack).toEqual([41, 1, 1, 42, 1, [8]]);
  });

  it('that stays unanswered fails at once, and says what to do', async () => {
    const { turns } = start(agents.log);

    const [tag, ok, error] = (await turns.deliver([0, -1, 5, { type: 'ignore' }])) as [
      number,
      number,
      WireError,
    ];

    expect([tag, ok]).toEqual([5, 0]);
    expect(error).toMatchObject({ name: 'HoldfastError', props: { code: 'ASK_UNANSWERED' } });
    expect(error.message).toContain('agent/one');
    expect(error.message).toContain('reply()');
  });

  it('whose turn fails is answered with that failure', async () => {
    const { turns, handled } = start(agents.log);

    const ack = await turns.deliver([0, -1, 5, { type: 'throw' }]);

    expect(ack).toMatchObject([
      5,
      0,
      { name: 'RangeError', message: 'thrown by the agent', props: { code: 'E_AGENT' } },
    ]);
    expect(handled()).toEqual([1]);
  });
});

describe('what is no event object', () => {
  it.each([['text'], [5], [true]])(
    'is handled as far as the agent can, and an ask with it stays unanswered: %j',
    async (value) => {
      const logic = fromTransition((n: number) => n + 1, 0);
      const { turns, handled } = start(logic);

      const ack = await turns.deliver([0, 1, value, 0, -1, 5, value]);

      expect(ack).toMatchObject([5, 0, { name: 'HoldfastError', props: { code: 'ASK_UNANSWERED' } }]);
      expect(handled()).toEqual([2]);
    },
  );
});

describe('an event for an instance that has ended', () => {
  it('is left uncounted and unanswered; the host still has it', async () => {
    const ending = setup({}).createMachine({
      initial: 'on',
      states: { on: { on: { end: 'off' } }, off: { type: 'final' } },
    });
    const { turns, handled } = start(ending, agents.log);

    const ack = await turns.deliver([
      0,
      3,
      { type: 'other' },
      { type: 'end' },
      { type: 'too late' },
      0,
      -1,
      9,
      { type: 'too late to ask' },
      1,
      -1,
      10,
      { type: 'count' },
    ]);

    expect(handled()).toEqual([2, 1]);
    expect(ack).toEqual([10, 1, 0]);
  });

  it('or of which nobody knows is left alone as well', async () => {
    const { turns, handled } = start(agents.log);

    expect(await turns.deliver([7, 2, event(1), event(2), 7, -1, 3, event(3), 0, 1, event(4)])).toBeNull();

    expect(handled()).toEqual([1]);
  });

  it('never reaches the next instance in its slot', async () => {
    const seen: unknown[] = [];
    const { turns, instances, handled } = start(agents.slow);
    const flood = [0, 1000, ...Array.from({ length: 1000 }, (_, n) => event(n))];
    const acks = [turns.deliver(flood), turns.deliver([0, 1, event(-1), 0, -1, 5, { type: 'ask', n: -2 }])];
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    const before = handled()[0];

    instances.get(0)?.stop();
    instances.set(0, host(writing(seen), {}, {}, turns.delivered).instance);
    acks.push(turns.deliver([0, 1, event(1), 0, -1, 6, { type: 'ask', n: 2 }]));

    expect(await Promise.all(acks)).toEqual([null, null, [6, 1, 'answer 2']]);
    expect(seen).toEqual([1, 2]);
    expect(handled()[0]).toBe((before as number) + 2);
  });
});

describe('answers that cannot be cloned', () => {
  it('are replaced one by one, by an error that says so', () => {
    const answers = [1, 1, 'fine', 2, 1, () => {}, 3, 0, { name: 'Error' }, 4, 1, { deep: { run() {} } }];

    const clean = clonableAnswers(answers);

    const refused = { name: 'HoldfastError', props: { code: 'REPLY_UNCLONABLE' } };
    expect(clean).toMatchObject([1, 1, 'fine', 2, 0, refused, 3, 0, { name: 'Error' }, 4, 0, refused]);
    expect(isClonable(clean)).toBe(true);
  });

  it('stay clonable, also when they are so only now and then', () => {
    let reads = 0;
    const moody = Object.defineProperty({}, 'x', {
      enumerable: true,
      get: () => (reads++ % 2 === 0 ? 1 : () => {}),
    });

    const clean = clonableAnswers([1, 1, moody]);

    expect(clean).toEqual([1, 1, { x: 1 }]);
    expect(isClonable(clean)).toBe(true);
  });
});
