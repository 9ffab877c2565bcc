import { assign, raise, setup } from 'xstate';
import { agentRef, reply } from 'holdfast/agent';

/** An event from the host, or from another clerk (`got`), or from a timer of its own (`ring`). */
export type ClerkEvent =
  | { readonly type: 'note'; readonly n: number }
  | { readonly type: 'pass'; readonly n: number; readonly to: string }
  | { readonly type: 'arm'; readonly n: number; readonly ms: number }
  | { readonly type: 'fail'; readonly n: number; readonly to: string }
  | { readonly type: 'got'; readonly n: number }
  | { readonly type: 'ring'; readonly n: number }
  | { readonly type: 'read' };

export interface Files {
  /** What the host sent, in the order in which it was handled. */
  readonly seen: readonly number[];
  /** What other clerks sent. */
  readonly got: readonly number[];
  readonly rang: readonly number[];
  /** The sum of all of them, which only half a turn would have wrong. */
  readonly sum: number;
}

/** Files each number it gets, passes some on, and sets timers. */
export default setup({
  types: { context: {} as Files, events: {} as ClerkEvent },
  actions: {
    file: assign(({ context, event }, { as }: { as: 'seen' | 'got' | 'rang' }) => {
      const { n } = event as { n: number };
      return { [as]: [...context[as], n], sum: context.sum + n };
    }),
    count: reply(({ context }) => context.seen.length),
  },
}).createMachine({
  context: { seen: [], got: [], rang: [], sum: 0 },
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
    got: { actions: { type: 'file', params: { as: 'got' } } },
    ring: { actions: { type: 'file', params: { as: 'rang' } } },
    read: { actions: reply(({ context }) => context) },
  },
});
