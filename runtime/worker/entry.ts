import { workerData } from 'node:worker_threads';
import type { ThreadData } from '../wire/protocol.ts';
import { lockdown } from './lockdown.ts';
import { startThread } from './thread.ts';

const { hasHostsCompileCache } = workerData as ThreadData;
if (hasHostsCompileCache) delete process.env['NODE_COMPILE_CACHE'];
lockdown(workerData as ThreadData);
const thread = startThread(workerData as ThreadData, {
  printedTo: [process.stdout, process.stderr],
});
// Node announces an exit, an uncaught error and an unhandled rejection, and waits for synchronous work; it announces
// neither the end of a thread that the host terminates, nor of one that runs out of memory.
process.once('exit', () => thread.end());
process.on('uncaughtExceptionMonitor', (thrown) => thread.uncaught(thrown));
