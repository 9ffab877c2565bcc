import { exit } from 'node:process';
import { fromTransition } from 'xstate';

export type Fault = 'loop' | 'oom' | 'exit' | 'timer' | 'reject';

/** Takes its thread along, in the way it is told to. */
export default fromTransition((state: null, { type }: { type: Fault }) => {
  if (type === 'loop') for (;;);
  if (type === 'oom') fill();
  if (type === 'exit') exit(1);
  if (type === 'timer') {
    setTimeout(() => {
      throw new Error('thrown in a timer');
    });
  }
  if (type === 'reject') void Promise.reject(new Error('rejected'));
  return state;
}, null);

/** In small pieces: one that is huge would end the whole process. */
function fill(): never {
  const kept: unknown[] = [];
  for (;;) kept.push(Array.from({ length: 1000 }, (_, n) => ({ n })));
}
