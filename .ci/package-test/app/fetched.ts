// An agent whose request with a secret fails, since nothing listens where it goes.
import { createRuntime } from 'holdfast';

const service = 'http://127.0.0.1:1';
process.env['MODEL_KEY'] = 'a-key-of-the-package-test';
const runtime = await createRuntime({
  externalSecrets: { provider: 'env' },
  agents: {
    caller: {
      type: 'thread-bound',
      threadId: 'callers',
      maxThreads: 1,
      secrets: { model: { ref: 'MODEL_KEY', mode: 'inject', hosts: [service] } },
    },
  },
});
const caller = await runtime.spawn('caller');
console.log(JSON.stringify(await caller.ask({ type: 'fetch', url: service })));
await runtime.stop();
