import { assign, setup } from 'xstate';
import { reply } from 'holdfast/agent';

/** An account with a state of a given size, as agents with some memory have it. */
export default setup({
  types: {
    context: {} as { count: number; memory: string },
    input: {} as { bytes: number } | undefined,
    events: {} as { type: 'add'; n: number } | { type: 'read' },
  },
}).createMachine({
  context: ({ input }) => ({ count: 0, memory: 'm'.repeat(input?.bytes ?? 900) }),
  on: {
    add: {
      actions: [assign({ count: ({ context }) => context.count + 1 }), reply(({ context }) => context.count)],
    },
    read: { actions: reply(({ context }) => context.count) },
  },
});
