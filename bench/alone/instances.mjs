// Run in a process of its own by the suite `spawn`: `instances.mjs idle <count> <more>` prints what an idle instance
// weighs, by the slope between two counts, so that what is there once does not count; `instances.mjs bursts <times> <count>`
// prints what the process keeps when as many were spawned and stopped so many times.
import { setTimeout as sleep } from 'node:timers/promises';

const [what, first, second] = process.argv.slice(2);
const [a, b] = [Number(first), Number(second)];
const AT_A_TIME = 64;
/** Kept, so that nothing of it is collected. */
const kept = [];

async function eachOf(from, to, run) {
  let next = from;
  const lane = async () => {
    while (next < to) await run(next++);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, lane));
}

async function settled() {
  for (let i = 0; i < 4; i++) {
    globalThis.gc();
    await sleep(50);
  }
}

async function started() {
  const { createRuntime } = await import('holdfast');
  const module = new URL('./counter-heap.mjs', import.meta.url);
  const counter = { type: 'thread-bound', threadId: 'counters', maxThreads: 1, module };
  const runtime = await createRuntime({ agents: { counter } });
  return { runtime, first: await runtime.spawn('counter', { id: 'first' }) };
}

async function idle() {
  const { runtime, first } = await started();
  const weights = async () => {
    const thread = await first.ask({ type: 'heap' }, { timeoutMs: 60_000 });
    await settled();
    const { rss, heapUsed } = process.memoryUsage();
    return { resident: rss, host: heapUsed, thread };
  };
  return slope(weights, async (id) => kept.push(await runtime.spawn('counter', { id: String(id) })));
}

async function actors() {
  const { createActor } = await import('xstate');
  const { default: logic } = await import('./counter.mjs');
  const weights = async () => {
    await settled();
    const { rss, heapUsed } = process.memoryUsage();
    return { resident: rss, host: heapUsed, thread: 0 };
  };
  return slope(weights, async () => kept.push(createActor(logic).start()));
}

async function slope(weights, add) {
  await eachOf(0, a, add);
  const one = await weights();
  await eachOf(a, b, add);
  const two = await weights();
  return Object.fromEntries(
    Object.entries(two).map(([name, bytes]) => [name, (bytes - one[name]) / (b - a)]),
  );
}

async function bursts() {
  const { runtime } = await started();
  for (let burst = 0; burst < a; burst++) {
    const refs = [];
    await eachOf(0, b, async (id) => refs.push(await runtime.spawn('counter', { id: `${burst}-${id}` })));
    await eachOf(0, b, (id) => refs[id].stop());
  }
  await settled();
  const { rss, heapUsed } = process.memoryUsage();
  return { resident: rss, host: heapUsed, thread: 0 };
}

console.log(JSON.stringify(await { idle, actors, bursts }[what]()));
process.exit();
