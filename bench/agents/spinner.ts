import { fromTransition } from 'xstate';
import { replyTo } from 'holdfast/agent';

type SpinnerEvent = { type: 'spin' } | { type: 'ping' };

/** Never comes back from `spin`. */
export default fromTransition((state: null, event: SpinnerEvent) => {
  if (event.type === 'spin') spinUntil(Infinity);
  replyTo(event, 'pong');
  return state;
}, null);

export function spinUntil(end: number): void {
  while (performance.now() < end);
}
