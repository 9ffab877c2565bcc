import { AsyncLocalStorage } from 'node:async_hooks';
import fc from 'fast-check';
import { fromCallback, fromTransition, setup, type AnyActorLogic, type AnyEventObject } from 'xstate';
import { describe, expect, it } from 'vitest';
import type { HoldfastError } from '../base/errors.ts';
import { asked, told, whole } from '../mailbox/fixtures/envelopes.ts';
import { Mailbox } from '../mailbox/mailbox.ts';
import { isClonable, type WireError } from '../wire/errors.ts';
import { createProgress } from '../wire/progress.ts';
import { replyTo } from './agent.ts';
import type { Batch } from '../mailbox/batch.ts';
import type { Ack } from '../mailbox/outbox.ts';
import * as agents from './fixtures/agents.ts';
import { host } from './fixtures/hosted.ts';
import { sourceOf } from './fixtures/turns-rig.ts';
import { nextTurn } from './fixtures/until.ts';
import { eventLoop } from './event-loop.ts';
import type { HostedInstance } from './hosted-instance.ts';
import { clonableAck } from './acks.ts';
import { invocation } from './step.ts';
import { threadState } from './thread-state.ts';
import { Turns, type TurnsOptions } from './turns.ts';

/** Turns over real instances, one for each logic, in the slots 0, 1, 2 … */
function start(...logics: Parameters<typeof host>[0][]): Started {
  return startWith({}, ...logics);
}

interface Started {
  readonly turns: {
    readonly deliver: (batch: Batch) => Promise<Ack> | Ack;
    readonly leave: (instance: HostedInstance) => void;
    readonly rest: (instance: HostedInstance) => () => void;
    readonly isBusy: () => boolean;
  };
  /** Never answers at once. */
  readonly deliver: (batch: Batch) => Promise<Ack>;
  readonly instances: Map<number, HostedInstance>;
  readonly handled: () => number[];
  /** What slot 0 had handled whenever something was acknowledged. */
  readonly acks: number[];
  /** What was acknowledged before a batch was complete. */
  readonly told: Ack[];
}

function startWith(options: Partial<TurnsOptions>, ...logics: Parameters<typeof host>[0][]): Started {
  const progress = createProgress();
  const acks: number[] = [];
  const told: Ack[] = [];
  const instances = new Map<number, HostedInstance>();
  const turns: Turns = new Turns({
    progress,
    now: () => 0,
    beforeAck: () => acks.push(progress.handled(0)),
    expired: () => {},
    refused: () => {},
    // The real one, on which turns take no time.
    loop: { ...eventLoop, now: () => 0 },
    ...options,
  });
  const source = sourceOf(instances, (ack) => void told.push(ack));
  logics.forEach((logic, slot) => {
    progress.reserve(slot);
    const hooks = { wake: () => turns.wake(instance), ended: () => turns.leave(instance) };
    const { instance } = host(logic, { slot }, {}, hooks);
    instances.set(slot, instance);
  });
  return {
    turns: {
      deliver: (batch) => turns.deliver(batch, source),
      leave: (instance) => turns.leave(instance),
      rest: (instance) => turns.rest(instance),
      isBusy: () => turns.busy,
    },
    deliver: async (batch) => turns.deliver(batch, source),
    instances,
    handled: () => logics.map((_logic, slot) => progress.handled(slot)),
    acks,
    told,
  };
}

/** Logic that writes into a list of the test. */
function writing(seen: unknown[]): ReturnType<typeof fromTransition> {
  return fromTransition((state, event: AnyEventObject) => {
    seen.push(event['n'] ?? event.type);
    if (event.type === 'ask') replyTo(event, `answer ${event['n']}`);
    return state;
  }, undefined as unknown);
}

const codeOf = (error: unknown): string => (error as HoldfastError).code;

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, n) => from + n);

const event = (n: number): AnyEventObject => ({ type: 'go', n });

describe('a batch', () => {
  it('is handled in order for each instance, counted, and acknowledged with nothing else to say', async () => {
    const seen: unknown[][] = [[], []];
    const { turns, handled } = start(...seen.map((list) => writing(list)));

    const ack = await turns.deliver([
      ...told(0, event(1), event(2)),
      ...told(1, event(3)),
      ...told(0, event(4)),
    ]);

    expect(ack).toEqual([[0, 3, 1, 1]]);
    expect(seen).toEqual([[1, 2, 4], [3]]);
    expect(handled()).toEqual([3, 1]);
  });

  it('is handled as the work of each callback that has an event of it, and as nobody else’s', async () => {
    threadState().origin ??= new AsyncLocalStorage();
    const keys: Promise<string>[][] = [[], [], []];
    const later = async (): Promise<string> => {
      await nextTurn();
      return invocation();
    };
    const note = (list: Promise<string>[]): void => void list.push(later().catch(codeOf));
    const [first, second] = [keys[0], keys[1]].map((list) =>
      fromCallback(({ receive }) => receive(() => note(list as Promise<string>[]))),
    ) as [AnyActorLogic, AnyActorLogic];
    const third = fromTransition(
      (state) => (note(keys[2] as Promise<string>[]), state),
      undefined as unknown,
    );
    const { deliver } = start(first, second, third);
    await deliver([...told(0, event(1), event(2)), ...told(1, event(3)), ...told(2, event(4), event(5))]);
    const [of, others, none] = await Promise.all(keys.map((list) => Promise.all(list)));
    expect(of).toEqual([expect.stringContaining('-'), of?.[0]]);
    expect(others).toEqual([expect.stringContaining('-')]);
    expect(others).not.toEqual([of?.[0]]);
    expect(none).toEqual(['NOT_INVOKED', 'NOT_INVOKED']);
  });

  it('waits while its instance rests, which the others do not, and is handled when all its rests are over', async () => {
    const seen: unknown[][] = [[], []];
    const { turns, deliver, instances } = start(...seen.map((list) => writing(list)));
    const resting = instances.get(0) as HostedInstance;
    const [first, second] = [turns.rest(resting), turns.rest(resting)];
    const handled = deliver([...told(0, event(1)), ...told(1, event(2))]);
    await nextTurn();
    expect(seen).toEqual([[], [2]]);
    first();
    await nextTurn();
    expect(seen).toEqual([[], [2]]);
    expect(turns.isBusy()).toBe(true);
    second();
    expect(await handled).toEqual([[1, 1, 0, 1]]);
    expect(seen).toEqual([[1], [2]]);
    expect(turns.isBusy()).toBe(false);
  });

  it.each([
    ['whose answers wait for commits is answered in two parts', true, [32]],
    ['whose answers wait for nothing is answered at once', false, []],
  ])('of 64 asks %s', async (_how, commits, parts) => {
    const logics = numbers(0, 64).map(() => writing([]));
    const { deliver, told: before } = startWith({ commits: () => commits }, ...logics);
    const asks = logics.flatMap((_logic, slot) => asked(slot, [[slot + 1, { type: 'ask', n: slot }]]));
    const [, tags = []] = await deliver(asks);
    expect(before.map(([, answered = []]) => answered.length)).toEqual(parts);
    expect([...before.flatMap(([, answered = []]) => answered), ...tags]).toEqual(numbers(1, 65));
  });

  it('that is small is handled inside deliver by an idle thread, up to 16 turns a round of the loop', async () => {
    const seen: unknown[] = [];
    const { turns } = start(writing(seen));
    const small = numbers(0, 5).map(event);

    expect(turns.deliver(told(0, ...small))).toEqual([[0, 5]]);
    expect(turns.deliver(told(0, ...small))).toEqual([[0, 5]]);
    expect(turns.deliver(told(0, ...small))).toEqual([[0, 5]]);
    expect(seen).toHaveLength(15);
    const over = turns.deliver(told(0, ...small));
    expect(over).toBeInstanceOf(Promise);
    expect(seen).toHaveLength(15);

    expect(await over).toEqual([[0, 5]]);
    await nextTurn();
    expect(turns.deliver(told(0, ...small))).toEqual([[0, 5]]);
  });

  it('that is larger is never handled inside deliver, nor in the microtasks after it', async () => {
    const seen: unknown[] = [];
    const { turns } = start(writing(seen));

    const ack = turns.deliver(told(0, ...numbers(0, 17).map(event)));
    await Promise.resolve();
    expect(seen).toEqual([]);

    await ack;
    expect(seen).toHaveLength(17);
  });

  it('waits behind those that came before, however small it is', async () => {
    const seen: unknown[] = [];
    const { turns } = start(writing(seen));

    const first = turns.deliver(told(0, ...numbers(0, 20).map(event)));
    const second = turns.deliver(told(0, event(20)));
    expect(seen).toEqual([]);
    await Promise.all([first, second]);

    expect(seen).toEqual(numbers(0, 21));
  });

  it('may be empty', async () => {
    expect(await start(agents.log).turns.deliver([])).toEqual([[]]);
  });

  it('has what it caused told before it is acknowledged, and each has an ack, the first for all', async () => {
    const { turns, acks } = start(agents.log);
    const order: string[] = [];

    const both = [told(0, ...numbers(0, 20).map(event)), told(0, event(3))].map(async (batch, n) => {
      const ack = await turns.deliver(batch);
      order.push(`ack ${n} of ${ack[0][1] ?? 0} after ${acks.length} flushes`);
    });
    await Promise.all(both);

    expect(acks).toEqual([21, 21]);
    expect(order).toEqual(['ack 0 of 21 after 2 flushes', 'ack 1 of 0 after 2 flushes']);
  });

  it('of any make-up is handled once and in order, asks answered, over any number of batches', async () => {
    const tag = fc.constantFrom(0, 0, 0, 1);
    const load = fc.array(fc.tuple(fc.nat({ max: 2 }), tag), { maxLength: 400, size: 'max' });
    await fc.assert(
      fc.asyncProperty(load, fc.integer({ min: 1, max: 300 }), async (envelopes, perBatch) => {
        const seen: unknown[][] = [[], [], []];
        const { deliver, handled, told: partial } = start(...seen.map((list) => writing(list)));
        const boxes = seen.map(() => new Mailbox(1000));
        envelopes.forEach(([slot, ask], n) =>
          boxes[slot]?.offer({ type: ask ? 'ask' : 'go', n }, ask * (n + 1)),
        );
        const acks: Promise<Ack>[] = [];
        while (boxes.some(({ queued }) => queued > 0)) {
          const batch: unknown[] = [];
          boxes.forEach((box, slot) => box.take(batch, slot, perBatch));
          acks.push(deliver(batch));
        }

        const all = [...(await Promise.all(acks)), ...partial];
        const answers = all.flatMap(([, tags = [], values = []]) => tags.map((tag, i) => [tag, values[i]]));
        const counts = [0, 0, 0];
        for (const [pairs] of all)
          for (let i = 0; i < pairs.length; i += 2) counts[pairs[i] as number]! += pairs[i + 1] as number;
        expect(counts).toEqual(handled());

        for (const slot of [0, 1, 2]) {
          expect(seen[slot]).toEqual(envelopes.flatMap(([to], n) => (to === slot ? [n] : [])));
        }
        expect(handled()).toEqual(seen.map(({ length }) => length));
        const asks = envelopes.flatMap(([, ask], n) => (ask ? [[n + 1, `answer ${n}`]] : []));
        expect(answers.sort((a, b) => (a[0] as number) - (b[0] as number))).toEqual(asks);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a flood', () => {
  it('leaves timers, immediates and promises of the thread their turn', async () => {
    const { deliver, handled } = start(agents.slow);
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

    const batches = Array.from({ length: 2 }, () => told(0, ...numbers(0, 5000).map(event)));
    await Promise.all(batches.map(deliver));
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
      ...told(0, event(8)),
      ...asked(0, [
        [41, { type: 'count' }],
        [42, { type: 'list' }],
      ]),
    ]);

    expect(whole(ack)).toEqual([[0, 3], [41, 42], [1, [8]], [], []]);
  });

  it('that stays unanswered fails at once, and says what to do', async () => {
    const { turns } = start(agents.log);

    const [, , , failed] = await turns.deliver(asked(0, [[5, { type: 'ignore' }]]));
    const [tag, error] = failed as [number, WireError];

    expect(tag).toBe(5);
    expect(error).toMatchObject({ name: 'HoldfastError', props: { code: 'ASK_UNANSWERED' } });
    expect(error.message).toContain('agent/one');
    expect(error.message).toContain('reply()');
  });

  it('whose turn fails is answered with that failure', async () => {
    const { turns, handled } = start(agents.log);

    const ack = await turns.deliver(asked(0, [[5, { type: 'throw' }]]));

    expect(whole(ack)).toMatchObject([
      [],
      [],
      [],
      [5, { name: 'RangeError', message: 'thrown by the agent', props: { code: 'E_AGENT' } }],
      [],
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

      const ack = await turns.deliver([...told(0, value), ...asked(0, [[5, value]])]);

      const unanswered = { name: 'HoldfastError', props: { code: 'ASK_UNANSWERED' } };
      expect(whole(ack)).toMatchObject([[0, 2], [], [], [5, unanswered], []]);
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
      ...told(0, { type: 'other' }, { type: 'end' }, { type: 'too late' }),
      ...asked(0, [[9, { type: 'too late to ask' }]]),
      ...asked(1, [[10, { type: 'count' }]]),
    ]);

    expect(handled()).toEqual([2, 1]);
    expect(whole(ack)).toEqual([[1, 1], [10], [0], [], []]);
  });

  it('or of which nobody knows is left alone as well', async () => {
    const { turns, handled } = start(agents.log);

    expect(
      await turns.deliver([
        ...told(7, event(1), event(2)),
        ...asked(7, [[3, event(3)]]),
        ...told(0, event(4)),
      ]),
    ).toEqual([[0, 1]]);

    expect(handled()).toEqual([1]);
  });

  it('never reaches the next instance in its slot', async () => {
    const seen: unknown[] = [];
    const { turns, deliver, instances, handled } = start(agents.slow);
    const flood = told(0, ...numbers(0, 1000).map(event));
    const acks = [
      deliver(flood),
      deliver([...told(0, event(-1)), ...asked(0, [[5, { type: 'ask', n: -2 }]])]),
    ];
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    const before = handled()[0];

    const old = instances.get(0) as HostedInstance;
    old.stop();
    turns.leave(old);
    instances.set(0, host(writing(seen)).instance);
    acks.push(deliver([...told(0, event(1)), ...asked(0, [[6, { type: 'ask', n: 2 }]])]));

    const answers = (await Promise.all(acks)).map(([pairs, tags = [], values = []]) => [pairs, tags, values]);
    expect(answers.flatMap(([, tags]) => tags)).toEqual([6]);
    expect(answers.flatMap(([, , values]) => values)).toEqual(['answer 2']);
    expect(seen).toEqual([1, 2]);
    expect(handled()[0]).toBe((before as number) + 2);
    // The host has counted those of the old one from the shared progress.
    expect(answers.flatMap(([pairs]) => pairs)).toEqual([0, 2]);
  });
});

describe('answers that cannot be cloned', () => {
  it('are replaced one by one, by an error that says so', () => {
    const error = { name: 'Error' };

    const clean = clonableAck([
      [0, 4],
      [1, 2, 4],
      ['fine', () => {}, { deep: { run() {} } }],
      [3, error],
      [0, 9],
    ]);

    const refused = { name: 'HoldfastError', props: { code: 'REPLY_UNCLONABLE' } };
    expect(whole(clean)).toMatchObject([[0, 4], [1], ['fine'], [3, error, 2, refused, 4, refused], [0, 9]]);
    expect(isClonable(clean)).toBe(true);
  });

  it('stay clonable, also when they are so only now and then', () => {
    let reads = 0;
    const moody = Object.defineProperty({}, 'x', {
      enumerable: true,
      get: () => (reads++ % 2 === 0 ? 1 : () => {}),
    });

    const clean = clonableAck([[0, 1], [1], [moody]]);

    expect(whole(clean)).toEqual([[0, 1], [1], [{ x: 1 }], [], []]);
    expect(isClonable(clean)).toBe(true);
  });
});
