// Run in a process of its own by the suite `start`: `measure.mjs <what> <count>` prints one figure. Plain JavaScript,
// so that nothing is added to what is measured.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

const [what, countText] = process.argv.slice(2);
const count = Number(countText);
/** Kept, so that nothing of it is collected. */
const kept = [];

async function bareWorkers(file) {
  const workers = Array.from({ length: count }, () => new Worker(new URL(file, import.meta.url)));
  kept.push(...workers);
  await Promise.all(
    workers.map(async (worker) => {
      worker.postMessage('hello');
      await once(worker, 'message');
    }),
  );
}

async function runtimeWith(maxThreads) {
  const { createRuntime } = await import('holdfast');
  const module = new URL('./counter.mjs', import.meta.url);
  return () =>
    createRuntime({
      agents: { counter: { type: 'thread-bound', threadId: 'counters', maxThreads, module } },
    });
}

async function holdfastThreads(create) {
  const runtime = await create();
  kept.push(runtime);
  const ids = Array.from({ length: count }, (_, id) => String(id));
  const refs = await Promise.all(ids.map((id) => runtime.spawn('counter', { id })));
  await Promise.all(refs.map((ref) => ref.ask({ type: 'read' })));
  const used = new Set(refs.map(({ thread }) => thread)).size;
  if (used !== count) throw new Error(`${used} threads answered instead of ${count}`);
}

async function peer() {
  return (await import(new URL(`../peers/${what.slice('peer-'.length)}.mjs`, import.meta.url).href)).start;
}

async function peerThreads(start) {
  const pool = await start(count);
  kept.push(pool);
  await Promise.all(Array.from({ length: count }, (_, n) => pool.run({ type: 'add', n })));
}

/** What is there before the measurement, and what is measured. */
const things = {
  bare: [async () => './empty-worker.mjs', bareWorkers],
  importing: [async () => './importing-worker.mjs', bareWorkers],
  holdfast: [() => runtimeWith(count), holdfastThreads],
  peer: [peer, peerThreads],
};

async function memory(kind) {
  for (let i = 0; i < 4; i++) {
    globalThis.gc();
    await sleep(50);
  }
  return process.memoryUsage()[kind];
}

const [prepare, make] = things[what.startsWith('peer-') ? 'peer' : what];
const given = await prepare();
const before = await memory('rss');
const used = process.cpuUsage();
const started = performance.now();
await make(given);
const ms = performance.now() - started;
const { user, system } = process.cpuUsage(used);
const rss = ((await memory('rss')) - before) / count;
console.log(JSON.stringify({ ms, cpu: (user + system) / 1000, rss }));
process.exit();
