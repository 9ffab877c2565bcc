// What strict tries in a closed pool and in a plain one, from the files of the package.
import { createRuntime, type HoldfastError } from 'holdfast';

async function start(isolation: 'thread' | 'thread+permissions'): Promise<unknown> {
  const agents = {
    echo: { type: 'thread-bound', threadId: 'echoes', maxThreads: 1, module: './agents/echo.ts' },
  } as const;
  try {
    const runtime = await createRuntime({ agents, threads: { echoes: { isolation } } }, { strict: true });
    await runtime.stop();
    return 'closed';
  } catch (error) {
    const { code, message } = error as HoldfastError;
    return [code, message.includes('child-process')];
  }
}

console.log(JSON.stringify([await start('thread+permissions'), await start('thread')]));
