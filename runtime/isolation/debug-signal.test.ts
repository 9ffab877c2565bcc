import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const entry = fileURLToPath(new URL('../index.ts', import.meta.url));
const module = fileURLToPath(new URL('../fixtures/counter.ts', import.meta.url));

/** In a process of its own: prints what `code` gives. */
async function run(code: string): Promise<unknown> {
  const program = `
    import inspector from 'node:inspector';
    import { createRuntime } from ${JSON.stringify(entry)};
    const start = (isolation) => createRuntime({
      agents: { counter: { type: 'thread-bound', threadId: 'pool', maxThreads: 1, module: ${JSON.stringify(module)} } },
      threads: { pool: { isolation } },
    });
    const listeners = () => process.listenerCount('SIGUSR1');
    /** Signals, and waits until the process has had every chance to act. */
    const signal = async (then = () => inspector.url()) => {
      const marked = new Promise((resolve) => process.once('SIGUSR2', resolve));
      process.kill(process.pid, 'SIGUSR1');
      process.kill(process.pid, 'SIGUSR2');
      await marked;
      await new Promise(setImmediate);
      return then();
    };
    // What waits for a signal does not keep the process alive.
    const deadline = setTimeout(() => process.exit(1), 20_000);
    const print = (value) => console.log(JSON.stringify(value));
    ${code}
    clearTimeout(deadline);`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['-C', 'holdfast-source', '--input-type=module', '-e', program],
    { timeout: 60_000 },
  );
  return JSON.parse(stdout);
}

test.runIf(process.platform !== 'win32')(
  'a runtime with a closed pool keeps SIGUSR1 from opening the inspector, also after it has stopped',
  async () => {
    const seen = await run(`
      const first = await start('thread+permissions');
      const second = await start('thread+permissions');
      const running = [listeners(), await signal() ?? null];
      await first.stop();
      await second.stop();
      print([running, [listeners(), await signal() ?? null]]);`);
    expect(seen).toEqual([
      [1, null],
      [1, null],
    ]);
  },
);

test.runIf(process.platform !== 'win32')(
  'the SIGUSR1 listener of a user stays and is told, and no other is left behind by a stop',
  async () => {
    const seen = await run(`
      let told = 0;
      process.on('SIGUSR1', () => { told += 1 });
      const runtime = await start('thread+permissions');
      await signal();
      await runtime.stop();
      await signal();
      print([told, listeners()]);`);
    expect(seen).toEqual([2, 1]);
  },
);

test('a runtime without a closed pool leaves SIGUSR1 alone', async () => {
  const seen = await run(`const runtime = await start('thread'); print(listeners()); await runtime.stop();`);
  expect(seen).toBe(0);
});
