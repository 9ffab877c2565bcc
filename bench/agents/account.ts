import { assign, setup } from 'xstate';
import { reply } from 'holdfast/agent';

/** An account with a state of a given size, as agents with some memory have it. */
export default setup({
  types: {
    context: {} as { count: number; memory: string },
    input: {} as { bytes: number } | undefined,
    events: {} as { type: 'add'; n: number } | { type: 'read' } | { type: 'write'; n: number },
  },
}).createMachine({
  context: ({ input }) => ({ count: 0, memory: 'm'.repeat(input?.bytes ?? 900) }),
  on: {
    add: {
      actions: [assign({ count: ({ context }) => context.count + 1 }), reply(({ context }) => context.count)],
    },
    // Other memory of the same size.
    write: {
      actions: [
        assign({ memory: ({ context, event }) => String(event.n % 10).repeat(context.memory.length) }),
        reply(({ context }) => context.count),
      ],
    },
    read: { actions: reply(({ context }) => context.count) },
  },
});
