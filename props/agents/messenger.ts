import { exit } from 'node:process';
import { fromTransition, type AnyEventObject } from 'xstate';
import { agentRef, replyTo, self } from 'holdfast/agent';
import { openLog } from '../log.ts';

/** What a note asks of who gets it. */
export type Manner = 'note' | 'fail' | 'exit' | 'unclonable reply';

/** Events `first` to `last` for another; the last one in its own manner. */
export interface Tell {
  readonly type: 'tell';
  readonly to: string;
  readonly first: number;
  readonly last: number;
  readonly manner: Manner;
  readonly asks: boolean;
  /** What becomes of the sender then, in the same turn. */
  readonly end: 'exit' | 'fail' | 'go on';
}

export interface Logs {
  readonly sent: SharedArrayBuffer;
  readonly handled: SharedArrayBuffer;
  readonly settled: SharedArrayBuffer;
}

/** Sends others what it is told to, and writes down what it sends and handles where it outlives its thread. */
export default fromTransition(
  (logs: Logs, event: AnyEventObject) => {
    const { incarnation = 0 } = self() ?? {};
    const write = (log: SharedArrayBuffer, n: number): void =>
      openLog(log).add({ n, incarnation, stranger: false });
    if (event.type === 'tell') {
      const { to, first, last, manner, asks, end } = event as Tell;
      for (let n = first; n <= last; n++) {
        const note = { type: n === last ? manner : 'note', n };
        const settled = (): void => write(logs.settled, n);
        write(logs.sent, n);
        if (asks) agentRef(to).ask(note, { timeoutMs: 20_000 }).then(settled, settled);
        else agentRef(to).send(note);
      }
      if (end === 'exit') exit(1);
      if (end === 'fail') throw new Error('failed on purpose');
    }
    // XState hands its own stop to reducers too.
    if (typeof event['n'] !== 'number') return logs;
    if (event.type === 'exit') exit(1);
    write(logs.handled, event['n']);
    replyTo(event, event.type === 'unclonable reply' ? () => {} : event['n']);
    if (event.type === 'fail') throw new Error('failed on purpose');
    return logs;
  },
  ({ input }: { input: Logs }) => input,
);
