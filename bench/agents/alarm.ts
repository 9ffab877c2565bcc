import { assign, setup } from 'xstate';
import { reply } from 'holdfast/agent';

/** Rings once, at the time that it is given, in milliseconds since the epoch. */
export default setup({
  types: {
    context: {} as { at: number; rung: number },
    input: {} as { at: number },
    events: {} as { type: 'read' },
  },
  delays: { due: ({ context }) => Math.max(0, context.at - Date.now()) },
}).createMachine({
  context: ({ input: { at } }) => ({ at, rung: 0 }),
  on: { read: { actions: reply(({ context }) => context.rung) } },
  initial: 'waiting',
  states: {
    waiting: {
      after: { due: { target: 'rung', actions: assign({ rung: ({ context }) => context.rung + 1 }) } },
    },
    rung: {},
  },
});
