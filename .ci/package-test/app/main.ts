// Two agents in two pools, one with permissions; prints what they answer, or with `stack` where an error was thrown.
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRuntime, HoldfastError } from 'holdfast';

const logger = { debug() {}, info() {}, warn() {}, error() {} };
const echoes = { type: 'thread-bound', threadId: 'echoes', maxThreads: 1 };
const config = {
  agents: {
    adder: { type: 'thread-bound', threadId: 'sums', maxThreads: 2 },
    echo: echoes,
    host: echoes,
    none: { ...echoes, module: './agents/echo.ts', export: 'none' },
  },
  threads: { echoes: { isolation: 'thread+permissions' } },
};
writeFileSync('openclaw.json', JSON.stringify(config));
const runtime = await createRuntime('./openclaw.json', { logger });
const [adder, echo] = await Promise.all([runtime.spawn('adder'), runtime.spawn('echo')]);
for (let n = 1; n <= 100; n++) adder.send({ type: 'add', n });
const own = dirname(fileURLToPath(import.meta.resolve('holdfast')));
const paths = [join(own, 'worker/entry.js'), join(own, 'index.js'), join(process.cwd(), 'secret.txt')];

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );
const codeOf = (error: unknown): unknown => error instanceof HoldfastError && error.code;
const none = await failureOf(runtime.spawn('none'));
const host = await failureOf(runtime.spawn('host'));
const seen = {
  sum: await adder.ask({ type: 'sum' }),
  echo: await echo.ask({ type: 'echo', value: 'hello' }),
  read: await echo.ask({ type: 'read', paths }),
  unanswered: codeOf(await failureOf(echo.ask({ type: 'nothing' }))),
  none: codeOf(none),
  host: host === undefined ? 'runs' : ((host as Error).cause as NodeJS.ErrnoException).code,
};
console.log(process.argv[2] === 'stack' ? (none as Error).stack : JSON.stringify(seen));
await runtime.stop();
