import { once } from 'node:events';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';

/** As many jobs as there are in flight. */
const CONCURRENCY = 64;

const [connection] = await once(process, 'message');
const redis = new Redis(connection);
const worker = new Worker('counters', ({ data }) => redis.hincrby('counts', data.key, 1), {
  connection,
  concurrency: CONCURRENCY,
});
await worker.waitUntilReady();
process.once('disconnect', () => process.exit());
process.send('ready');
