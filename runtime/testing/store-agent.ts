import { assign, fromTransition, sendTo, setup, type AnyEventObject } from 'xstate';
import { replyTo } from '../worker/agent.ts';

/** The agent with which `testSnapshotStore` tries a store: it counts, has a child that counts, and waits for a minute. */
export default setup({
  types: { context: {} as { n: number } },
  actors: { echo: fromTransition((n: number, _event: AnyEventObject) => n + 1, 0) },
}).createMachine({
  version: '1',
  context: { n: 0 },
  invoke: { id: 'echo', src: 'echo' },
  initial: 'waiting',
  on: {
    add: { actions: [assign({ n: ({ context }) => context.n + 1 }), sendTo('echo', { type: 'add' })] },
    read: {
      actions: ({ context, event, self }) => {
        const { value, children } = self.getSnapshot() as unknown as {
          value: unknown;
          children: { echo?: { getSnapshot(): { context: unknown } } };
        };
        replyTo(event, { n: context.n, echo: children.echo?.getSnapshot().context, value });
      },
    },
  },
  states: { waiting: { after: { 60_000: 'late' } }, late: {} },
});
