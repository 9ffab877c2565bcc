// The counting agent, which also says what its thread has on the heap.
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { fromTransition } from 'xstate';
import { replyTo } from 'holdfast/agent';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');

export default fromTransition(
  (state, event) => {
    if (event.type === 'heap') {
      for (let i = 0; i < 3; i++) gc();
      replyTo(event, getHeapStatistics().used_heap_size);
    }
    return event.type === 'tick' ? { count: state.count + 1 } : state;
  },
  { count: 0 },
);
