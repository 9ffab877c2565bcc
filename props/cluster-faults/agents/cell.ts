import { assign, setup } from 'xstate';
import { reply } from 'holdfast/agent';
import type { CounterInput, RegisterInput } from '../../linearizability/models.ts';

/** A register and a counter; an address is used as one of them. */
export default setup({
  types: { context: {} as { value: number; total: number }, events: {} as RegisterInput | CounterInput },
}).createMachine({
  id: 'cell',
  version: '1',
  context: { value: 0, total: 0 },
  on: {
    read: { actions: reply(({ context }) => context.value) },
    write: { actions: [assign({ value: ({ event }) => event.value }), reply(() => true)] },
    swap: [
      {
        guard: ({ context, event }) => context.value === event.expected,
        actions: [assign({ value: ({ event }) => event.value }), reply(() => true)],
      },
      { actions: reply(() => false) },
    ],
    total: { actions: reply(({ context }) => context.total) },
    add: {
      actions: [
        assign({ total: ({ context, event }) => context.total + event.amount }),
        reply(({ context }) => context.total),
      ],
    },
  },
});
