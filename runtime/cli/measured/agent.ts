import { fromTransition } from 'xstate';
import { replyTo } from 'holdfast/agent';

/** What `holdfast bench` asks and counts: answers `add` with its `n`, and `count` with how many there were. */
export default fromTransition((count: number, event: { type: 'add' | 'tick' | 'count'; n: number }) => {
  if (event.type === 'count') replyTo(event, count);
  else if (event.type === 'add') replyTo(event, event.n);
  return event.type === 'count' ? count : count + 1;
}, 0);
