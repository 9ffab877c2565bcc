import { env, exit } from 'node:process';
import { fromTransition } from 'xstate';
import { self } from 'holdfast/agent';
import { openLog, type Log } from '../log.ts';

type RecorderEvent = { type: 'note'; n: number } | { type: 'crash'; n: number };

/** Where this module, these globals and this environment were first used; it must stay the only pool. */
let home: string | undefined;

function stranger(threadId: string): boolean {
  const shared = globalThis as { home?: string };
  home ??= threadId;
  shared.home ??= threadId;
  env['HOME_POOL'] ??= threadId;
  return home !== threadId || shared.home !== threadId || env['HOME_POOL'] !== threadId;
}

/** Writes down what it handles in memory that outlives its thread; ends the thread when told to. */
export default fromTransition(
  (log: Log, event: RecorderEvent) => {
    if (event.type === 'crash') exit(1);
    // XState hands its own stop to reducers too.
    if (event.type !== 'note') return log;
    const { threadId = '', incarnation = 0 } = self() ?? {};
    log.add({ n: event.n, incarnation, stranger: stranger(threadId) });
    return log;
  },
  ({ input }: { input: { log: SharedArrayBuffer; pool: string } }) => {
    const log = openLog(input.log);
    // The pool it was sent to is the pool it runs in.
    if (self()?.threadId !== input.pool) log.add({ n: -1, incarnation: 0, stranger: true });
    return log;
  },
);
