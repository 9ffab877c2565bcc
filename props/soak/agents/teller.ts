import { exit } from 'node:process';
import { assign, raise, setup } from 'xstate';
import { agentRef, reply } from 'holdfast/agent';
import { NOTHING, withNumber, type Digest } from '../digest.ts';

/** What a teller has of all that it handled: from the host, from other tellers, and of its timers. */
export interface Told {
  readonly seen: Digest;
  readonly got: Digest;
  readonly rang: Digest;
}

/** The last three are never handled: their turn throws, or ends its thread. */
export type TellerEvent =
  | { readonly type: 'note' | 'got' | 'ring'; readonly n: number }
  | { readonly type: 'pass'; readonly n: number; readonly to: string }
  | { readonly type: 'arm'; readonly n: number; readonly ms: number }
  | { readonly type: 'fail' | 'exit' | 'hang'; readonly n: number }
  | { readonly type: 'read' };

/** Counts what it handles, passes some on, sets timers, and comes to harm when it is told to. */
export default setup({
  types: { context: {} as Told, events: {} as TellerEvent },
  actions: {
    file: assign(({ context, event }, { as }: { as: keyof Told }) => ({
      [as]: withNumber(context[as], (event as { n: number }).n),
    })),
    done: reply(({ event }) => (event as { n: number }).n),
  },
}).createMachine({
  context: { seen: NOTHING, got: NOTHING, rang: NOTHING },
  on: {
    note: { actions: [{ type: 'file', params: { as: 'seen' } }, 'done'] },
    pass: {
      actions: [
        { type: 'file', params: { as: 'seen' } },
        ({ event }) => agentRef(event.to).send({ type: 'got', n: event.n }),
        'done',
      ],
    },
    arm: {
      actions: [
        { type: 'file', params: { as: 'seen' } },
        raise(({ event }) => ({ type: 'ring', n: event.n }), { delay: ({ event }) => event.ms }),
        'done',
      ],
    },
    fail: {
      actions: [
        { type: 'file', params: { as: 'seen' } },
        () => {
          throw new Error('failed on purpose');
        },
      ],
    },
    exit: { actions: () => exit(1) },
    hang: {
      actions: () => {
        for (;;);
      },
    },
    got: { actions: { type: 'file', params: { as: 'got' } } },
    ring: { actions: { type: 'file', params: { as: 'rang' } } },
    read: { actions: reply(({ context }) => context) },
  },
});
