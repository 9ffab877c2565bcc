import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { assign, fromPromise, raise, setup, spawnChild, stopChild } from 'xstate';
import { agentRef, invocation, reply, step } from 'holdfast/agent';

/** An event from the host, or from another clerk (`got`), or from a timer of its own (`ring`). */
export type ClerkEvent =
  | { readonly type: 'note'; readonly n: number }
  | { readonly type: 'pass'; readonly n: number; readonly to: string }
  | { readonly type: 'arm'; readonly n: number; readonly ms: number }
  | { readonly type: 'fail'; readonly n: number; readonly to: string }
  | { readonly type: 'got'; readonly n: number }
  | { readonly type: 'ring'; readonly n: number }
  | { readonly type: 'work'; readonly n: number }
  | { readonly type: 'read' };

export interface Files {
  /** What the host sent, in the order in which it was handled. */
  readonly seen: readonly number[];
  /** What other clerks sent. */
  readonly got: readonly number[];
  readonly rang: readonly number[];
  /** What was done in steps. */
  readonly done: readonly Work[];
  /** The sum of all of them, which only half a turn would have wrong. */
  readonly sum: number;
}

/** What came of the steps of a number. */
export interface Work {
  readonly n: number;
  readonly paid: string;
}

/** What is done outside: a line for each time. */
export type Deed = readonly [what: 'pay' | 'ship', n: number, paid: string, key: string];

interface Order {
  readonly n: number;
  /** The file of what is done outside. */
  readonly deeds: string;
}

/** Pays and then ships, each time with what paying has given. */
const work = fromPromise<Work, Order>(async ({ input: { n, deeds } }) => {
  const note = (...deed: Deed): void => appendFileSync(deeds, `${JSON.stringify(deed)}\n`);
  const paid = await step('pay', async () => {
    const receipt = randomUUID();
    note('pay', n, receipt, invocation());
    return receipt;
  });
  await step('ship', async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    note('ship', n, paid, invocation());
  });
  return { n, paid };
});

function outputOf(event: unknown): Work {
  return (event as { readonly output: Work }).output;
}

interface Desk extends Files {
  readonly deeds: string;
}

interface Input {
  /** Default: nothing is done outside. */
  readonly deeds?: string;
}

/** Files each number it gets, passes some on, sets timers, and has some done in steps. */
export default setup({
  types: { context: {} as Desk, input: undefined as Input | undefined, events: {} as ClerkEvent },
  actors: { work },
  actions: {
    file: assign(({ context, event }, { as }: { as: 'seen' | 'got' | 'rang' }) => {
      const { n } = event as { n: number };
      return { [as]: [...context[as], n], sum: context.sum + n };
    }),
    close: assign(({ context, event }) => {
      const output = outputOf(event);
      return { done: [...context.done, output], sum: context.sum + output.n };
    }),
    count: reply(({ context }) => context.seen.length),
  },
}).createMachine({
  context: ({ input }) => ({ seen: [], got: [], rang: [], done: [], sum: 0, deeds: input?.deeds ?? '' }),
  on: {
    note: { actions: [{ type: 'file', params: { as: 'seen' } }, 'count'] },
    pass: {
      actions: [
        { type: 'file', params: { as: 'seen' } },
        ({ event }) => agentRef(event.to).send({ type: 'got', n: event.n }),
        'count',
      ],
    },
    arm: {
      actions: [
        { type: 'file', params: { as: 'seen' } },
        raise(({ event }) => ({ type: 'ring', n: event.n }), {
          delay: ({ event }) => event.ms,
        }),
        'count',
      ],
    },
    fail: {
      actions: [
        { type: 'file', params: { as: 'seen' } },
        ({ event }) => agentRef(event.to).send({ type: 'got', n: event.n }),
        'count',
        () => {
          throw new Error('failed on purpose');
        },
      ],
    },
    work: {
      actions: [
        { type: 'file', params: { as: 'seen' } },
        spawnChild('work', {
          id: ({ event }) => `work-${(event as { n: number }).n}`,
          input: ({ context, event }) => ({ n: (event as { n: number }).n, deeds: context.deeds }),
        }),
        'count',
      ],
    },
    'xstate.done.actor.*': {
      actions: ['close', stopChild(({ event }) => `work-${outputOf(event).n}`)],
    },
    got: { actions: { type: 'file', params: { as: 'got' } } },
    ring: { actions: { type: 'file', params: { as: 'rang' } } },
    read: { actions: reply(({ context }) => context) },
  },
});
