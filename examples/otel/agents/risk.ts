import { setup } from 'xstate';
import { reply } from 'holdfast/agent';

/** Allows what is small. */
export default setup({
  types: { events: {} as { type: 'check'; amount: number } },
}).createMachine({
  on: { check: { actions: reply(({ event }) => ({ allowed: event.amount <= 100 })) } },
});
