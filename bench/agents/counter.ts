import { fromTransition } from 'xstate';
import { replyTo } from 'holdfast/agent';
import type { CounterEvent } from './counter-event.ts';

/** Counts what it is sent. The lightest actor with a state. */
export default fromTransition(
  (state: { count: number; last: number }, event: CounterEvent) => {
    if (event.type === 'read') {
      replyTo(event, state.count);
      return state;
    }
    if (event.type === 'add') replyTo(event, event.n);
    return { count: state.count + 1, last: event.n };
  },
  { count: 0, last: 0 },
);
