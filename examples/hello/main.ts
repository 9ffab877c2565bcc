import { threadId } from 'node:worker_threads';
import { agent, createRuntime } from 'holdfast';
import type greeterMachine from './agents/greeter.ts';

const runtime = await createRuntime({
  agents: {
    greeter: agent<typeof greeterMachine>({
      type: 'thread-bound',
      threadId: 'greeting',
      maxThreads: 1,
      module: new URL('./agents/greeter.ts', import.meta.url),
    }),
  },
});

const front = await runtime.spawn('greeter', { id: 'front' });
console.log(await front.ask({ type: 'greet', name: 'Ada' }));
console.log(await front.ask({ type: 'greet', name: 'Grace' }));
console.log(`${front.address} runs in thread ${front.thread}, this program in thread ${threadId}.`);
await runtime.stop();
