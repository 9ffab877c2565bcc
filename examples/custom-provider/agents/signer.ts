import { emit, setup } from 'xstate';
import { capability } from 'holdfast/agent';

/** Signs a text, and signs it again whenever the key has changed. It never sees the key. */
export default setup({
  types: {
    context: {} as { text: string },
    input: {} as { text: string },
    events: {} as { type: 'secret.rotated'; versionId: string },
    emitted: {} as { type: 'signed'; signature: string },
  },
  actors: { sign: capability<string>('sign') },
}).createMachine({
  context: ({ input }) => ({ text: input.text }),
  initial: 'signing',
  states: {
    signing: {
      invoke: {
        src: 'sign',
        input: ({ context }) => ({ label: 'key', args: context.text }),
        onDone: {
          target: 'signed',
          actions: emit(({ event }) => ({ type: 'signed', signature: event.output })),
        },
      },
    },
    signed: { on: { 'secret.rotated': 'signing' } },
  },
});
