import { fromCallback, type NonReducibleUnknown } from 'xstate';
import { replyTo } from 'holdfast/agent';
import type { CounterEvent } from './counter-event.ts';

/** The same as a plain callback: no state that anybody could see. `read` also emits the count. */
export default fromCallback<CounterEvent, NonReducibleUnknown, { type: 'count'; count: number }>(
  ({ receive, emit }) => {
    let count = 0;
    receive((event) => {
      if (event.type === 'read') {
        replyTo(event, count);
        emit({ type: 'count', count });
        return;
      }
      count += 1;
      if (event.type === 'add') replyTo(event, event.n);
    });
  },
);
