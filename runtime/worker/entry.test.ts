import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { asked, told, whole } from '../mailbox/fixtures/envelopes.ts';
import { createProgress } from '../wire/progress.ts';
import { rigOver, type ThreadRig } from './fixtures/thread-rig.ts';
import { until } from './fixtures/until.ts';

interface Loaded {
  readonly url: string;
  readonly from: string;
}

interface RealThread extends ThreadRig {
  readonly worker: Worker;
  readonly loaded: readonly Loaded[];
}

let thread: RealThread | undefined;

/** A real worker at the real entry, which records every module it resolves. */
function startWorker(): RealThread {
  const { port1, port2 } = new MessageChannel();
  const modules = new MessageChannel();
  const progress = createProgress();
  const loaded: Loaded[] = [];
  modules.port1.on('message', (module: Loaded) => loaded.push(module));
  modules.port1.unref();
  const worker = new Worker(new URL('./entry.ts', import.meta.url), {
    name: 'holdfast:test:1',
    env: {},
    execArgv: [
      '-C',
      'holdfast-source',
      '--import',
      new URL('./fixtures/record-modules.mjs', import.meta.url).href,
    ],
    workerData: {
      port: port2,
      progress: progress.buffer,
      threadId: 'test',
      clockOrigin: 0,
      modules: modules.port2,
    },
    transferList: [port2, modules.port2],
  });
  thread = { ...rigOver(port1, progress), worker, loaded };
  return thread;
}

afterEach(async () => {
  await thread?.worker.terminate();
});

const event = (type: string, more: object = {}): object => ({ type, ...more });

describe('a worker', () => {
  it('stays small: nothing of config, secrets, providers or the runtime’s actors is loaded', async () => {
    const { link, activate, deliver, loaded, worker } = startWorker();
    expect(await link.call('hello')).toBe(worker.threadId);
    await activate(0, 'worker', { watched: true });
    await deliver(...told(0, event('add'), event('emit'), event('keep-function')));
    await until(() => loaded.some(({ url }) => url.endsWith('/fixtures/agents.ts')));

    const urls = loaded.map(({ url }) => url);
    // The recorder sees: what must be there is there.
    const wanted = ['worker/thread.ts', 'wire/link.ts', 'xstate/xstate5.ts', '/xstate/', '/comlink/'];
    expect(wanted.filter((part) => !urls.some((url) => url.includes(part)))).toEqual([]);
    const root = new URL('../../', import.meta.url).href;
    const ours = urls.filter((url) => url.startsWith(root)).map((url) => url.slice(root.length));
    const forbidden =
      /^(actors|providers|props|examples)\/|^runtime\/(secrets|config|testing|cli|gateway|store|telemetry|inspect)\//;
    expect(ours.filter((path) => forbidden.test(path))).toEqual([]);
    const allowed =
      /^runtime\/(base|mailbox|wire|worker|xstate)\/|^runtime\/dead-letters\/(refusal|suspicion)\.ts$|^node_modules\/(xstate|comlink)\//;
    expect(ours.filter((path) => !allowed.test(path))).toEqual([]);
    expect(urls.filter((url) => /zod|momoa|@aws-sdk|@smithy|opentelemetry|levenshtein/.test(url))).toEqual(
      [],
    );
  });

  it('loads few modules: what it needs to run an agent, and no more', async () => {
    const { link, loaded } = startWorker();
    await link.call('hello');

    const files = new Set(loaded.map(({ url }) => url).filter((url) => url.startsWith('file:')));

    expect(files.size).toBeGreaterThan(10);
    // From source; the package has them as one file.
    expect(files.size).toBeLessThan(120);
  });

  it('imports the agent’s helpers once, though the agent imports them by itself', async () => {
    const { activate, deliver, loaded } = startWorker();
    await activate(0, 'log');

    const ack = await deliver(...asked(0, [[1, event('self')]]));

    expect(whole(ack)).toMatchObject([[0, 1], [1], [{ address: 'agent/0', threadId: 'test' }], [], []]);
    const states = new Set(loaded.map(({ url }) => url).filter((url) => url.includes('thread-state')));
    expect(states.size).toBe(1);
  });
});

describe('a worker that dies in the middle of a turn', () => {
  it('leaves behind whose turn it was and how many were done', async () => {
    const { activate, deliver, progress, worker, link } = startWorker();
    await activate(0, 'log');
    await activate(1, 'log');
    await deliver(...told(1, event('e', { n: 1 }), event('e', { n: 2 })));
    const exit = once(worker, 'exit', { signal: AbortSignal.timeout(10_000) });

    const lost = deliver(
      ...told(0, event('e', { n: 3 })),
      ...told(1, event('e', { n: 4 }), event('exit'), event('e', { n: 5 })),
    );

    await expect(lost).rejects.toThrow('closed by the other side');
    expect(await exit).toEqual([13]);
    expect(progress.inHand()).toBe(1);
    expect([progress.handled(0), progress.handled(1)]).toEqual([1, 3]);
    expect(link.pending).toBe(0);
  });

  it('between two turns leaves nothing in hand', async () => {
    const { activate, deliver, progress, worker } = startWorker();
    await activate(0, 'log');
    await deliver(...told(0, event('e', { n: 1 }), event('e', { n: 2 })));

    await worker.terminate();

    expect(progress.inHand()).toBe(-1);
    expect(progress.handled(0)).toBe(2);
  });
});
