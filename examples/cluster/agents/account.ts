import { assign, setup } from 'xstate';
import { reply } from 'holdfast/agent';

/** An account. It is durable because its runtime has a store: nothing in it knows that it may move to another machine. */
export default setup({
  types: {
    context: {} as { total: number; deposits: number },
    events: {} as { type: 'deposit'; amount: number } | { type: 'statement' },
  },
}).createMachine({
  id: 'account',
  version: '1',
  context: { total: 0, deposits: 0 },
  on: {
    deposit: {
      actions: [
        assign({
          total: ({ context, event }) => context.total + event.amount,
          deposits: ({ context }) => context.deposits + 1,
        }),
        reply(({ context }) => context.total),
      ],
    },
    statement: { actions: reply(({ context }) => ({ ...context })) },
  },
});
