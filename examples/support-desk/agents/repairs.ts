import { tool } from 'ai';
import { fromPromise } from 'xstate';
import { z } from 'zod';
import { conversation } from './conversation.ts';

export { accepts } from './conversation.ts';

interface Log {
  readonly log: string;
}

/**
 * Counts the errors in the log of a teapot, line by line. It has the fault that this example is about: a last line without an
 * end has no next one, and `indexOf` says so with -1, so the reading begins anew, for ever.
 */
function errorsIn(log: string): number {
  let errors = 0;
  let from = 0;
  while (true) {
    const end = log.indexOf('\n', from);
    if (log.slice(from, end).includes('ERROR')) errors += 1;
    from = end + 1;
    if (from === log.length) return errors;
  }
}

/** Finds out what is wrong with a device. */
export default conversation({
  instructions: 'You find out what is wrong with teapots. Be brief.',
  tools: {
    read_log: tool({
      description: 'Counts the errors in the log of a device.',
      inputSchema: z.object({ log: z.string() }),
    }),
  },
  calls: {
    read_log: fromPromise<unknown, Log>(async ({ input }) => ({ errors: errorsIn(input.log) })),
  },
});
