import { appendFileSync } from 'node:fs';
import { assign, setup } from 'xstate';
import { answer, deferReply, replyTo, type ReplyToken } from 'holdfast/agent';

type Note = {
  readonly type: 'note';
  readonly n: number;
  /** Gets a line for each note, which outlives the process. */
  readonly file: string;
  readonly late: boolean;
};

/** Notes what it is told where a crash does not reach, and answers at once or a little later. */
export default setup({
  types: {
    context: {} as { waiting: readonly { token: ReplyToken; n: number }[] },
    events: {} as Note,
  },
  actions: {
    note: ({ event }) => {
      appendFileSync(event.file, `${event.n}\n`);
      if (!event.late) replyTo(event, event.n);
    },
    putOff: assign({
      waiting: ({ context, event }) =>
        event.late ? [...context.waiting, { token: deferReply(event), n: event.n }] : context.waiting,
    }),
  },
}).createMachine({
  context: { waiting: [] },
  initial: 'open',
  on: { note: { actions: ['note', 'putOff'], target: '.open', reenter: true } },
  states: {
    open: {
      after: {
        200: {
          target: 'open',
          reenter: true,
          actions: [
            answer(
              ({ context }) => context.waiting[0]?.token,
              ({ context }) => context.waiting[0]?.n,
            ),
            assign({ waiting: ({ context }) => context.waiting.slice(1) }),
          ],
        },
      },
    },
  },
});
