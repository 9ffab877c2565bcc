import { assign, fromTransition, raise, sendTo, setup, type AnyEventObject } from 'xstate';
import { reply } from 'holdfast/agent';

const book = fromTransition(
  (seen: number[], event: AnyEventObject) => (event.type === 'note' ? [...seen, event['n'] as number] : seen),
  [] as number[],
);

/** Notes each number itself and in a child, and fails when it is told to. */
export default setup({
  types: { context: {} as { seen: number[]; rang: number }, events: {} as { type: string; n: number } },
  actors: { book },
}).createMachine({
  context: { seen: [], rang: 0 },
  invoke: { id: 'book', src: 'book' },
  on: {
    note: {
      actions: [
        assign({ seen: ({ context, event }) => [...context.seen, event.n] }),
        sendTo('book', ({ event }) => ({ type: 'note', n: event.n })),
      ],
    },
    arm: { actions: raise(({ event }) => ({ type: 'ring', n: event.n }), { delay: 500 }) },
    ring: { actions: assign({ rang: ({ context }) => context.rang + 1 }) },
    fail: {
      actions: () => {
        throw new Error('failed on purpose');
      },
    },
    read: { actions: reply(({ context }) => context) },
  },
});
