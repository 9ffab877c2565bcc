import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { threadFailed } from './thread-errors.ts';
import { workerEntry } from './worker-options.ts';

/** What a worker ends with whose file is not there. */
async function missing(path: string): Promise<Error> {
  const [error] = (await once(new Worker(path), 'error')) as [Error];
  return error;
}

test('a thread without the file that it starts with tells of bundles', async () => {
  const gone = await missing(`${fileURLToPath(workerEntry)}.gone.js`);
  const ofEntry = Object.assign(gone, { message: gone.message.replace('.gone.js', '') });
  expect(threadFailed('holdfast:pool:1', ofEntry)).toMatchObject({
    cause: 'error',
    error: {
      code: 'THREAD_CRASHED',
      message: expect.stringContaining('Keep "holdfast" external'),
      cause: ofEntry,
    },
  });
});

test('another module that is missing is the agent’s', async () => {
  const { error } = threadFailed('holdfast:pool:1', await missing('/no/such/module.js'));
  expect(error.message).toContain('catch it in the agent');
});
