import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRuntime, type AgentRef, type Runtime } from 'holdfast';
import { fixture } from '../fixtures/start.ts';
import type { Act } from '../fixtures/mixing.ts';
import { memoryDurableStore } from './memory-durable-store.ts';

const supervision = {
  restart: 'permanent',
  backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 },
  intensity: { restarts: 100, withinMs: 1000 },
} as const;
const agents = {
  durable: fixture('mixing', { threadId: 'one', supervision }),
  fresh: fixture('mixing', { threadId: 'other', supervision: { state: 'fresh' } }),
};

let runtime: Runtime;
let ids = 0;

beforeAll(async () => {
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  runtime = await createRuntime({ agents }, { store: memoryDurableStore(), logger });
});
afterAll(() => runtime.stop());

/** A durable one, another that is not and sends it events, and the numbers that the first has heard. */
async function pair() {
  ids += 1;
  const durable = await runtime.spawn('durable', { id: `a${ids}` });
  const fresh = await runtime.spawn('fresh', { id: `b${ids}` });
  const to = durable.address;
  // The way is open: what is sent from here on comes together.
  await fresh.ask({ type: 'mix', acts: [{ kind: 'deliver', n: 0, to }] });
  const heard = async (): Promise<unknown> => durable.ask({ type: 'heard' });
  return { durable, fresh, heard, to };
}

/** Acts of these kinds, with the numbers from 1. */
const acts = (
  to: string,
  kinds: readonly Act['kind'][],
  ends: Readonly<Record<number, Act['ends']>>,
): Act[] => kinds.map((kind, i) => ({ kind, n: i + 1, to, ends: ends[i + 1] }));

const mix = (ref: AgentRef, all: readonly Act[]): Promise<unknown> => ref.ask({ type: 'mix', acts: all });

describe('what a durable agent has handled and not told when it ends', () => {
  it('is handled again, when another sent it that is not durable and the thread dies', async () => {
    const { fresh, heard, to } = await pair();
    const kinds = ['send', 'send', 'send', 'ask', 'deliver', 'send', 'send', 'ask'] as const;
    const outcomes = await mix(fresh, acts(to, kinds, { 6: 'exit' }));
    // What was committed before the thread ended is not handled again, and its answer went with the thread.
    const [ask, delivery] = [
      expect.toBeOneOf([4, 'THREAD_CRASHED']),
      expect.toBeOneOf(['handled', 'THREAD_CRASHED']),
    ];
    expect(outcomes).toEqual([undefined, undefined, undefined, ask, delivery, undefined, undefined, 8]);
    expect(await heard()).toEqual([0, 1, 2, 3, 4, 5, 7, 8]);
  });

  it('is handled again, and the event of the turn that throws is not', async () => {
    const { fresh, heard, to } = await pair();
    const kinds = ['send', 'deliver', 'ask', 'send', 'deliver', 'ask', 'send', 'ask'] as const;
    const outcomes = await mix(fresh, acts(to, kinds, { 4: 'throw', 5: 'throw', 6: 'throw' }));
    expect(outcomes).toEqual([undefined, 'handled', 3, undefined, 'Error', 'Error', undefined, 8]);
    expect(await heard()).toEqual([0, 1, 2, 3, 7, 8]);
  });

  it('is handled again when the host sent it', async () => {
    const { durable, heard } = await pair();
    for (const n of [1, 2, 3]) durable.send({ type: 'note', n });
    durable.send({ type: 'exit' });
    durable.send({ type: 'note', n: 4 });
    expect(await heard()).toEqual([0, 1, 2, 3, 4]);
  });

  it('is lost by none and handled by none twice, however many send and however often it ends', async () => {
    const { fresh, heard, to } = await pair();
    const more = await Promise.all(['c', 'd'].map((id) => runtime.spawn('fresh', { id })));
    const all = [fresh, ...more].map((ref, i) =>
      mix(
        ref,
        Array.from({ length: 60 }, (_, at) => {
          const n = 100 * (i + 1) + at;
          const ends = at === 20 + i ? 'exit' : at === 40 + i ? 'throw' : undefined;
          return { kind: at % 7 === 0 ? 'ask' : 'send', n, to, ends } as const;
        }),
      ),
    );
    await Promise.all(all);
    const notes = (await heard()) as number[];
    for (const i of [0, 1, 2]) {
      const own = notes.filter((n) => Math.floor(n / 100) === i + 1);
      const sent = Array.from({ length: 60 }, (_, at) => 100 * (i + 1) + at);
      expect(own).toEqual(sent.filter((n) => n % 100 !== 20 + i && n % 100 !== 40 + i));
    }
  });
});
