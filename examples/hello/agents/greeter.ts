import { assign, setup } from 'xstate';
import { reply } from 'holdfast/agent';

/** Counts whom it has greeted. An ordinary machine: nothing in it knows that it runs in a thread of its own. */
export default setup({
  types: { context: {} as { greeted: number }, events: {} as { type: 'greet'; name: string } },
}).createMachine({
  context: { greeted: 0 },
  on: {
    greet: {
      actions: [
        assign({ greeted: ({ context }) => context.greeted + 1 }),
        reply(({ context, event }) => `Hello ${event.name}, you are number ${context.greeted}.`),
      ],
    },
  },
});
