// The counting agent, which also takes its thread along.
import { exit } from 'node:process';
import { fromTransition } from 'xstate';

export default fromTransition(
  (state, event) => {
    if (event.type === 'exit') exit(3);
    return event.type === 'tick' ? { count: state.count + 1 } : state;
  },
  { count: 0 },
);
