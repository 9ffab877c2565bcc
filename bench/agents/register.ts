import { assign, setup } from 'xstate';
import { reply } from 'holdfast/agent';

interface Entry {
  readonly name: string;
  readonly amount: number;
  readonly paid: boolean;
}

/** Bytes of an entry as JSON text, about. */
const ENTRY_BYTES = 64;

/** A register of a given size that is nothing but small fields, each turn of which changes one of them. */
export default setup({
  types: {
    context: {} as { count: number; entries: readonly Entry[] },
    input: {} as { bytes: number },
    events: {} as { type: 'add'; n: number } | { type: 'read' },
  },
}).createMachine({
  context: ({ input }) => ({
    count: 0,
    entries: Array.from({ length: Math.round(input.bytes / ENTRY_BYTES) }, (_, i) => ({
      name: `an entry of the register, ${i}`,
      amount: i,
      paid: false,
    })),
  }),
  on: {
    add: {
      actions: [
        assign(({ context: { count, entries }, event }) => ({
          count: count + 1,
          entries: entries.with(event.n % entries.length, {
            ...(entries[event.n % entries.length] as Entry),
            amount: event.n,
          }),
        })),
        reply(({ context }) => context.count),
      ],
    },
    read: { actions: reply(({ context }) => context.count) },
  },
});
