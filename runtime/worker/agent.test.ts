import { Ending } from '../base/ending.ts';
import {
  assign,
  createActor,
  forwardTo,
  fromCallback,
  fromPromise,
  fromTransition,
  raise,
  sendTo,
  setup,
  toPromise,
  type AnyEventObject,
} from 'xstate';
import { describe, expect, it } from 'vitest';
import { capability, reply, replyTo, self, type Self } from './agent.ts';
import { host, type Hosted } from './fixtures/hosted.ts';
import { nextTurn, until } from './fixtures/until.ts';
import { threadState } from './thread-state.ts';

const here: Self = { address: 'agent/one', threadId: 'pool', thread: 7, incarnation: 1 };

describe('reply', () => {
  const counting = setup({ types: { context: {} as { n: number } } }).createMachine({
    context: { n: 5 },
    initial: 'idle',
    states: {
      idle: {
        on: {
          'in-action': { actions: reply(({ context, event }) => [context.n, event.type]) },
          'after-assign': {
            actions: [assign({ n: ({ context }) => context.n * 2 }), reply(({ context }) => context.n)],
          },
          'in-entry': 'entered',
          'in-always': 'passing',
          twice: { actions: [reply(() => 'first'), reply(() => 'second')] },
          nothing: { actions: reply(() => undefined) },
          raised: { actions: raise({ type: 'in-action' }) },
        },
      },
      entered: { entry: reply(() => 'from entry') },
      passing: { always: { target: 'idle', actions: reply(({ event }) => `from always of ${event.type}`) } },
    },
  });

  it.each([
    ['in-action', [5, 'in-action']],
    ['after-assign', 10],
    ['in-entry', 'from entry'],
    ['in-always', 'from always of in-always'],
    ['nothing', undefined],
  ])('answers the ask that carried the event: %s', (type, value) => {
    expect(host(counting).ask({ type })).toMatchObject({ state: 'answered', value });
  });

  it('answers once; a second reply is ignored', () => {
    expect(host(counting).ask({ type: 'twice' })).toMatchObject({ state: 'answered', value: 'first' });
  });

  it('does not answer what was raised: that is another event', () => {
    expect(host(counting).ask({ type: 'raised' }).state).toBe('open');
  });

  it('does not answer a later ask with the same type, nor an equal event without an ask', () => {
    const { instance, ask } = host(counting);
    const first = ask({ type: 'in-action' });
    instance.turn({ type: 'in-action' }, undefined);

    expect(ask({ type: 'unknown' }).state).toBe('open');
    expect(first.value).toEqual([5, 'in-action']);
  });

  it('answers from a child that the event was forwarded to', () => {
    const child = setup({}).createMachine({
      on: { '*': { actions: reply(({ event }) => `child got ${event.type}`) } },
    });
    const parent = setup({ actors: { child } }).createMachine({
      invoke: { id: 'child', src: 'child' },
      on: {
        forwarded: { actions: forwardTo('child') },
        sent: { actions: sendTo('child', ({ event }) => event) },
        copied: { actions: sendTo('child', ({ event }) => ({ ...event })) },
      },
    });
    const { ask } = host(parent);

    expect(ask({ type: 'forwarded' }).value).toBe('child got forwarded');
    expect(ask({ type: 'sent' }).value).toBe('child got sent');
    expect(ask({ type: 'copied' }).state).toBe('open');
  });
});

describe('replyTo', () => {
  it('answers from logic without actions', () => {
    const reducer = fromTransition((n: number, event: AnyEventObject) => {
      replyTo(event, n);
      return n + 1;
    }, 3);
    const { ask } = host(reducer);

    expect([ask({ type: 'a' }).value, ask({ type: 'b' }).value]).toEqual([3, 4]);
  });

  it('answers from a callback', () => {
    const callback = fromCallback<AnyEventObject>(({ receive }) =>
      receive((event) => replyTo(event, 'received')),
    );

    expect(host(callback).ask({ type: 'a' }).value).toBe('received');
  });

  it('is ignored for an event that nobody asked with, and for what is no event', () => {
    expect(() => replyTo({ type: 'plain' }, 1)).not.toThrow();
    expect(() => replyTo(undefined as never, 1)).not.toThrow();
  });
});

describe('outside a Holdfast thread', () => {
  it('the helpers do nothing, so that a machine can be tested alone', () => {
    const machine = setup({}).createMachine({
      context: () => ({ born: self() }),
      on: { ask: { actions: [reply(() => 1), assign({ seen: () => self() })] } },
    });
    const actor = createActor(machine).start();

    actor.send({ type: 'ask' });

    expect(actor.getSnapshot().context).toEqual({ born: undefined, seen: undefined });
    expect(actor.getSnapshot().status).toBe('active');
    expect(self()).toBeUndefined();
  });

  it('a capability fails and says what to do in a test', async () => {
    const actor = createActor(capability('sign-order'), { input: { label: 'orders' } });
    const ended = toPromise(actor.start());

    await expect(ended).rejects.toMatchObject({ name: 'HoldfastError', code: 'SECRET_NOT_GRANTED' });
    await expect(ended).rejects.toThrow('provide another actor for it in tests');
  });
});

describe('self', () => {
  /** Notes where it is, wherever agent code may run. */
  function noting(seen: Record<string, unknown>): Hosted {
    const note = (key: string) => (): void => void (seen[key] = self());
    const job = fromPromise(async () => {
      note('promise before await')();
      await nextTurn();
      note('promise after await')();
    });
    const late = fromCallback(({ sendBack }) => {
      note('callback')();
      setImmediate(() => sendBack({ type: 'called-back' }));
    });
    const machine = setup({ actors: { job, late }, delays: { soon: 1 } }).createMachine({
      context: () => {
        note('context')();
        return {};
      },
      entry: note('entry'),
      invoke: [{ src: 'job', onDone: { actions: note('onDone') } }, { src: 'late' }],
      on: {
        go: {
          guard: () => {
            note('guard')();
            return true;
          },
          actions: note('action'),
        },
        'called-back': { actions: note('sendBack') },
      },
      after: { soon: { actions: [note('after'), reply(() => (seen['done'] = true))] } },
    });
    return host(machine);
  }

  it('is known wherever the agent’s code runs in a turn, whatever began that turn', async () => {
    const seen: Record<string, unknown> = {};
    const { instance } = noting(seen);
    instance.turn({ type: 'go' }, undefined);
    await until(() => 'done' in seen && 'onDone' in seen && 'sendBack' in seen);

    for (const place of [
      'context',
      'entry',
      'promise before await',
      'callback',
      'guard',
      'action',
      'sendBack',
      'onDone',
      'after',
    ]) {
      expect([place, seen[place]]).toEqual([place, here]);
    }
    instance.stop();
  });

  it('is unknown after an await, and between turns', async () => {
    const seen: Record<string, unknown> = {};
    const { instance } = noting(seen);
    expect(self()).toBeUndefined();
    await until(() => 'promise after await' in seen);

    expect(seen['promise after await']).toBeUndefined();
    expect(self()).toBeUndefined();
    instance.stop();
  });

  it('is each instance’s own', () => {
    const where = fromTransition((state, event: AnyEventObject) => {
      replyTo(event, self()?.address);
      return state;
    }, 0);
    const one = host(where, {}, { self: { ...here, address: 'a/1' } });
    const two = host(where, {}, { self: { ...here, address: 'b/2' } });

    expect([one.ask({ type: 'x' }).value, two.ask({ type: 'x' }).value]).toEqual(['a/1', 'b/2']);
    expect(self()).toBeUndefined();
  });

  it('is forgotten when an agent fails at birth', () => {
    const failing = setup({}).createMachine({
      context: () => {
        throw new Error('failed at birth');
      },
    });

    expect(() => host(failing)).toThrow('failed at birth');
    expect(self()).toBeUndefined();
  });
});

describe('capability', () => {
  const machine = setup({ actors: { sign: capability<string>('sign-order') } }).createMachine({
    invoke: {
      src: 'sign',
      input: { label: 'orders', args: { qty: 5 } },
      onDone: { target: '.signed', actions: assign({ result: ({ event }) => event.output }) },
      onError: { target: '.refused', actions: assign({ error: ({ event }) => event.error }) },
    },
    initial: 'signing',
    states: { signing: {}, signed: {}, refused: {} },
  });

  async function settled({ instance }: Hosted): Promise<ReturnType<Hosted['instance']['snapshot']>> {
    await until(() => instance.snapshot().value !== 'signing');
    return instance.snapshot();
  }

  it('has the host do it, under the label and with the arguments, and ends with the result', async () => {
    const calls: unknown[] = [];
    const hosted = host(
      machine,
      {},
      {
        useSecret: async (...call) => {
          calls.push(call);
          return 'signature';
        },
      },
    );

    expect(await settled(hosted)).toMatchObject({ value: 'signed', context: { result: 'signature' } });
    expect(calls).toEqual([
      ['capability', { name: 'sign-order', label: 'orders', args: { qty: 5 } }, expect.any(Ending)],
    ]);
    hosted.stop();
  });

  it('fails with what the host says', async () => {
    const refusal = new Error('SECRET_NOT_GRANTED');
    const hosted = host(machine, {}, { useSecret: () => Promise.reject(refusal) });

    expect(await settled(hosted)).toMatchObject({ value: 'refused', context: { error: refusal } });
    hosted.stop();
  });

  it('works in a child of the agent, which shares its system', async () => {
    const parent = setup({ actors: { machine } }).createMachine({ invoke: { id: 'child', src: 'machine' } });
    const calls: unknown[] = [];
    const hosted = host(parent, {}, { useSecret: async (...call) => void calls.push(call) });

    await nextTurn();

    expect(calls).toEqual([
      ['capability', { name: 'sign-order', label: 'orders', args: { qty: 5 } }, expect.any(Ending)],
    ]);
    hosted.stop();
  });
});

describe('the state of a thread', () => {
  it('is one, also for another copy of the module', async () => {
    const url = new URL('./thread-state.ts?copy', import.meta.url).href;
    const copy = (await import(url)) as { threadState: typeof threadState };

    expect(copy.threadState).not.toBe(threadState);
    expect(copy.threadState()).toBe(threadState());
  });
});
