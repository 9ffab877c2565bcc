// A counter for each key in Redis, which a job of BullMQ adds to. The worker is a process of its own, and is waited for as the
// manual shows.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Queue, QueueEvents } from 'bullmq';
import { Redis } from 'ioredis';

export const start = async ({ connection, keys }) => {
  const worker = fork(fileURLToPath(new URL('bullmq-worker.mjs', import.meta.url)));
  worker.send(connection);
  await once(worker, 'message');
  const queue = new Queue('counters', {
    connection,
    // Of all that are done, some are kept: whoever waits for one looks for it first.
    defaultJobOptions: { removeOnComplete: { count: 1000 } },
  });
  const events = new QueueEvents('counters', { connection });
  await events.waitUntilReady();
  // Each that waits is a listener.
  for (const emitter of [queue, events]) emitter.setMaxListeners(0);
  const redis = new Redis(connection);
  return {
    add: async (key) => {
      const job = await queue.add('add', { key });
      return job.waitUntilFinished(events);
    },
    totals: async () => {
      const counts = await redis.hmget(
        'counts',
        Array.from({ length: keys }, (_, key) => key),
      );
      return counts.map(Number);
    },
    stop: async () => {
      worker.disconnect();
      await once(worker, 'exit');
      await Promise.all([queue.close(), events.close()]);
      redis.disconnect();
    },
  };
};
