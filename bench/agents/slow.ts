import { fromTransition } from 'xstate';
import { replyTo } from 'holdfast/agent';
import { burn } from './burn.mjs';
import type { CounterEvent } from './counter-event.ts';

/** Counts like the others, and takes some 20 µs for each event: slower than a host can send. */
export default fromTransition((count: number, event: CounterEvent) => {
  if (event.type === 'read') {
    replyTo(event, count);
    return count;
  }
  burn(12_000);
  return count + 1;
}, 0);
