import { assign, setup } from 'xstate';
import { reply, self } from 'holdfast/agent';

export default setup({
  types: { context: {} as { sum: number }, events: {} as { type: 'add'; n: number } | { type: 'sum' } },
}).createMachine({
  context: { sum: 0 },
  on: {
    add: { actions: assign({ sum: ({ context, event }) => context.sum + event.n }) },
    sum: { actions: reply(({ context }) => ({ sum: context.sum, pool: self()?.threadId })) },
  },
});
