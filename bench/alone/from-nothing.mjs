// Run in a process of its own by the suite `start`: `from-nothing.mjs <what> <threads>` prints what the process has cost by
// the time that each thread has replied, its own start and all imports included; with 0 threads, what the import costs.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

const [what, threadsText] = process.argv.slice(2);
const threads = Number(threadsText);
const ids = Array.from({ length: threads }, (_, id) => String(id));

const bare = (file) => async () => {
  const workers = ids.map(() => new Worker(new URL(file, import.meta.url)));
  return () =>
    Promise.all(
      workers.map(async (worker) => {
        worker.postMessage('hello');
        await once(worker, 'message');
      }),
    );
};

async function holdfast({ createRuntime }) {
  const runtime = await createRuntime({
    agents: {
      counter: {
        type: 'thread-bound',
        threadId: 'counters',
        maxThreads: threads,
        module: new URL('./counter.mjs', import.meta.url),
      },
    },
  });
  return async () => {
    const refs = await Promise.all(ids.map((id) => runtime.spawn('counter', { id })));
    await Promise.all(refs.map((ref) => ref.ask({ type: 'read' })));
    const used = new Set(refs.map(({ thread }) => thread)).size;
    if (used !== threads) throw new Error(`${used} threads answered instead of ${threads}`);
  };
}

/** What is imported, and what starts the threads and has each of them reply. */
const things = {
  bare: [async () => {}, bare('./empty-worker.mjs')],
  importing: [() => Promise.all([import('comlink'), import('xstate')]), bare('./importing-worker.mjs')],
  holdfast: [() => import('holdfast'), holdfast],
};

const milliseconds = ({ user, system }) => (user + system) / 1000;

const [load, start] = things[what];
const before = process.cpuUsage();
const loaded = await load();
const imported = milliseconds(process.cpuUsage(before));
if (threads > 0) await (await start(loaded))();
console.log(JSON.stringify({ imported, cpu: milliseconds(process.cpuUsage()), ms: performance.now() }));
process.exit();
