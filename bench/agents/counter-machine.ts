import { assign, setup } from 'xstate';
import { reply } from 'holdfast/agent';
import type { CounterEvent } from './counter-event.ts';

/** The same as a machine with a context. */
export default setup({
  types: { context: {} as { count: number; last: number }, events: {} as CounterEvent },
}).createMachine({
  context: { count: 0, last: 0 },
  initial: 'counting',
  states: {
    counting: {
      on: {
        tick: { actions: assign(({ context, event }) => ({ count: context.count + 1, last: event.n })) },
        add: {
          actions: [
            assign(({ context, event }) => ({ count: context.count + 1, last: event.n })),
            reply(({ event }) => event.n),
          ],
        },
        read: { actions: reply(({ context }) => context.count) },
      },
    },
  },
});
