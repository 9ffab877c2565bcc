// Run in a process of its own by the suite `one-of-many`: `one-of-many.mjs <what> <count>` prints what one thing costs
// where there are so many instances: the processor time of the host in milliseconds, or how many it happened to.
import { createRuntime } from 'holdfast';

const [what, countText] = process.argv.slice(2);
const count = Number(countText);
const AT_A_TIME = 64;

const started = (settings, pool = {}) =>
  createRuntime(
    {
      agents: {
        counter: {
          type: 'thread-bound',
          threadId: 'counters',
          maxThreads: 1,
          module: new URL('./breaking.mjs', import.meta.url),
          ...settings,
        },
      },
      threads: { counters: pool },
    },
    // What fails here is no news.
    { logger: { debug() {}, info() {}, warn() {}, error() {} } },
  );

async function spawned(runtime) {
  let next = 0;
  const refs = [];
  const lane = async () => {
    while (next < count) refs.push(await runtime.spawn('counter', { id: String(next++) }));
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, lane));
  return refs;
}

async function hostTime(run) {
  const before = process.threadCpuUsage();
  await run();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

/** Until all instances of a thread that has ended are told that they restart. */
async function crash() {
  const runtime = await started({});
  const [first] = await spawned(runtime);
  const { promise, resolve } = Promise.withResolvers();
  let told = 0;
  runtime.on('agent', ({ state }) => {
    if (state === 'restarting' && ++told === count) resolve();
  });
  return hostTime(async () => {
    first.send({ type: 'exit' });
    await promise;
  });
}

/** How many idle instances a stop ends in its default time, and does not lose with their thread. */
async function stop() {
  const runtime = await started({});
  await spawned(runtime);
  let ended = 0;
  let failed = 0;
  runtime.on('agent', ({ state }) => {
    if (state === 'ended') ended += 1;
    if (state === 'restarting' || state === 'quarantined') failed += 1;
  });
  await runtime.stop();
  return ended - failed;
}

/** One stop, where others wait for a thread of their own, until the first of those has it. */
async function release() {
  const runtime = await started({ placement: 'exclusive', maxThreads: 2 }, { startTimeoutMs: 120_000 });
  const [first, second] = [
    await runtime.spawn('counter', { id: 'first' }),
    await runtime.spawn('counter', { id: 'second' }),
  ];
  const waiting = Array.from({ length: count }, (_, id) => runtime.spawn('counter', { id: String(id) }));
  for (const one of waiting) one.catch(() => {});
  // All of them stand in the queue by then.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const next = async (leaver, taker) => {
    await leaver.stop();
    await taker;
  };
  await next(first, waiting[0]);
  return hostTime(() => next(second, waiting[1]));
}

console.log(JSON.stringify(await { crash, stop, release }[what]()));
process.exit();
