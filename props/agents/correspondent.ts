import { exit } from 'node:process';
import { fromTransition } from 'xstate';
import { replyTo, self } from 'holdfast/agent';
import { openLog, type Log } from '../log.ts';

/** What a letter asks of who gets it. */
export type Manner = 'note' | 'slow' | 'fail' | 'exit' | 'uncaught';

interface Letter {
  readonly type: Manner;
  readonly n: number;
}

/** Writes down what it handles in memory that outlives its thread, and comes to harm where it is told to. */
export default fromTransition(
  (log: Log, event: Letter) => {
    // XState hands its own stop to reducers too.
    if (typeof event.n !== 'number') return log;
    if (event.type === 'exit') exit(1);
    log.add({ n: event.n, incarnation: self()?.incarnation ?? 0, stranger: false });
    replyTo(event, event.n);
    if (event.type === 'slow') busy(2);
    // Outside of any turn: nothing is in hand when the thread ends.
    if (event.type === 'uncaught') setImmediate(uncaught);
    if (event.type === 'fail') throw new Error('failed on purpose');
    return log;
  },
  ({ input }: { input: { log: SharedArrayBuffer } }) => openLog(input.log),
);

function uncaught(): never {
  throw new Error('uncaught on purpose');
}

function busy(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}
