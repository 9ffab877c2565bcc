// The counting agent without types: its start must not pay for stripping them.
import { fromTransition } from 'xstate';
import { replyTo } from 'holdfast/agent';

export default fromTransition(
  (state, event) => {
    if (event.type === 'read') replyTo(event, state.count);
    return event.type === 'tick' ? { count: state.count + 1 } : state;
  },
  { count: 0 },
);
