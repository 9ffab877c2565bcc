import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createProgress, openProgress } from './progress.ts';

const MILLION_SLOTS = 8 * 1024 * 1024;

describe('progress', () => {
  it('counts the turns of each slot and knows which is in hand', () => {
    const progress = createProgress();
    expect(progress.inHand()).toBe(-1);

    progress.begin(0);
    expect(progress.inHand()).toBe(0);
    expect(progress.handled(0)).toBe(0);
    progress.end(0);
    progress.begin(5);

    expect(progress.inHand()).toBe(5);
    expect([progress.handled(0), progress.handled(5), progress.handled(1)]).toEqual([1, 0, 0]);
  });

  it('counts like a plain counter for each slot, from both sides of the memory', () => {
    const slot = fc.nat({ max: 500 });
    fc.assert(
      fc.property(fc.array(slot, { maxLength: 200 }), (turns) => {
        const host = createProgress();
        for (const slot of turns) host.reserve(slot);
        const thread = openProgress(host.buffer);
        const counts = new Map<number, number>();
        for (const slot of turns) {
          thread.begin(slot);
          expect(host.inHand()).toBe(slot);
          thread.end(slot);
          counts.set(slot, (counts.get(slot) ?? 0) + 1);
        }
        for (const [slot, count] of counts) expect(host.handled(slot)).toBe(count);
        expect(host.inHand()).toBe(-1);
      }),
    );
  });

  it('counts what each slot tells apart from what it handles, also beyond where it began', () => {
    const host = createProgress();
    host.reserve(500);
    const thread = openProgress(host.buffer);
    for (const slot of [3, 500, 500, 500]) thread.tell(slot);
    thread.untell(500);
    thread.end(3);

    expect([host.told(3), host.told(4), host.told(500)]).toEqual([1, 0, 2]);
    expect([host.handled(3), host.handled(4), host.handled(500)]).toEqual([1, 0, 0]);
  });

  it('counts on past 2^31: the difference of two readings is right as a 32-bit number', () => {
    const progress = createProgress();
    new Int32Array(progress.buffer)[3] = 2 ** 31 - 2;
    const before = progress.handled(0);

    for (let turn = 0; turn < 5; turn++) progress.end(0);

    expect((progress.handled(0) - before) | 0).toBe(5);
  });

  it('grows for the slots that are reserved and keeps what was counted', () => {
    const progress = createProgress();
    progress.end(3);
    const small = progress.buffer.byteLength;

    progress.reserve(3);
    expect(progress.buffer.byteLength).toBe(small);
    progress.reserve(100_000);

    expect(progress.buffer.byteLength).toBeGreaterThan(400_000);
    expect(progress.handled(3)).toBe(1);
    progress.end(100_000);
    expect(progress.handled(100_000)).toBe(1);
  });

  it('grows by doubling, not slot by slot', () => {
    const progress = createProgress();
    const sizes = new Set<number>();
    for (let slot = 0; slot < 10_000; slot++) {
      progress.reserve(slot);
      sizes.add(progress.buffer.byteLength);
    }

    expect(sizes.size).toBeLessThan(12);
  });

  it('has room for a million slots and refuses the next with a code of its own', () => {
    const progress = createProgress();
    // Three words before them, two for each.
    const last = Math.floor((MILLION_SLOTS / 4 - 3) / 2) - 1;

    progress.reserve(last);
    progress.end(last);

    expect(progress.handled(last)).toBe(1);
    const full = expect.objectContaining({ name: 'HoldfastError', code: 'POOL_EXHAUSTED' }) as Error;
    expect(() => progress.reserve(last + 1)).toThrow(full);
  });
});

describe('progress shared with a thread', () => {
  async function shared(
    use: (
      progress: ReturnType<typeof createProgress>,
      tell: (order: unknown) => void,
      answered: () => Promise<unknown>,
      worker: Worker,
    ) => Promise<void>,
  ): Promise<void> {
    const progress = createProgress();
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(new URL('./fixtures/progress-worker.ts', import.meta.url), {
      workerData: { buffer: progress.buffer, port: port2 },
      transferList: [port2],
    });
    const answered = async (): Promise<unknown> =>
      (await once(port1, 'message', { signal: AbortSignal.timeout(10_000) }))[0] as unknown;
    try {
      await use(progress, (order) => port1.postMessage(order), answered, worker);
    } finally {
      port1.close();
      await worker.terminate();
    }
  }

  it('shows the host what the thread has handled, also in slots reserved after it started', async () => {
    await shared(async (progress, tell, answered) => {
      tell([2, 7]);
      expect(await answered()).toEqual([7, -1]);
      expect(progress.handled(2)).toBe(7);

      progress.reserve(50_000);
      tell([50_000, 3]);

      expect(await answered()).toEqual([3, -1]);
      expect(progress.handled(50_000)).toBe(3);
      expect(progress.inHand()).toBe(-1);
    });
  });

  it('tells after a crash which turn was in hand and how many were done', async () => {
    await shared(async (progress, tell, _answered, worker) => {
      tell([4, 10, 'die']);

      const [code] = (await once(worker, 'exit', { signal: AbortSignal.timeout(10_000) })) as [number];

      expect(code).toBe(9);
      expect(progress.inHand()).toBe(4);
      expect(progress.handled(4)).toBe(9);
    });
  });

  it('blames nobody when the thread ends between two turns', async () => {
    await shared(async (progress, tell, answered, worker) => {
      tell([4, 10]);
      await answered();

      await worker.terminate();

      expect(progress.inHand()).toBe(-1);
      expect(progress.handled(4)).toBe(10);
    });
  });
});
