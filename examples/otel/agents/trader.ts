import { assign, fromPromise, setup } from 'xstate';
import { agentRef, answerTo, deferReply, type ReplyToken } from 'holdfast/agent';

/** Sells nothing before the risk desk, which is on another thread, has said yes. */
export default setup({
  types: {
    context: {} as { asked: ReplyToken | undefined; amount: number },
    events: {} as { type: 'order'; amount: number },
  },
  actors: {
    askRisk: fromPromise(({ input: amount }: { input: number }) =>
      agentRef('risk/desk').ask({ type: 'check', amount }),
    ),
  },
}).createMachine({
  context: { asked: undefined, amount: 0 },
  initial: 'open',
  states: {
    open: {
      on: {
        order: {
          target: 'asking',
          actions: assign({
            asked: ({ event }) => deferReply(event),
            amount: ({ event }) => event.amount,
          }),
        },
      },
    },
    asking: {
      invoke: {
        src: 'askRisk',
        input: ({ context }) => context.amount,
        onDone: {
          target: 'open',
          actions: ({ context, event }) => context.asked && answerTo(context.asked, event.output),
        },
        onError: {
          target: 'open',
          actions: ({ context }) => context.asked && answerTo(context.asked, { allowed: false }),
        },
      },
    },
  },
});
