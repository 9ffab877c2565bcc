// The machine of all rows, in plain JavaScript: no start must pay for stripping types.
import { assign, setup } from 'xstate';

/** Answers each `quote` with its `n`, `count` with how many there were, and is busy on `burn`. */
export const quoting = (reply) =>
  setup({
    actions: {
      answer: ({ event }) => reply(event, event.n),
      tell: ({ context, event }) => reply(event, context.count),
      burn: ({ event }) => {
        for (const until = performance.now() + event.ms; performance.now() < until;);
      },
    },
  }).createMachine({
    context: { count: 0 },
    on: {
      quote: { actions: [assign({ count: ({ context }) => context.count + 1 }), 'answer'] },
      count: { actions: 'tell' },
      burn: { actions: 'burn' },
    },
  });
