import { expect, test } from 'vitest';
import { agent } from 'holdfast';
import type metronome from '../fixtures/metronome.ts';
import { fixture, start } from '../fixtures/start.ts';

const agents = { metronome: agent<typeof metronome>(fixture('metronome')) };

test.each(['persist', 'snapshot'] as const)(
  '%s resolves after what was emitted on the way to its state, and before all that comes later',
  async (question) => {
    const runtime = await start({ agents });
    const ref = await runtime.spawn('metronome', { input: { everyMs: 0 } });
    let heard = 0;
    ref.on('tick', ({ n }) => (heard = n));
    await expect.poll(() => heard).toBeGreaterThan(0);
    const wrong: [number, number][] = [];
    for (let n = 0; n < 300; n += 1) {
      const { context } = (
        question === 'persist' ? (await ref.persist()).snapshot : await ref.snapshot()
      ) as { context: { n: number } };
      if (context.n !== heard) wrong.push([context.n, heard]);
    }
    expect(wrong).toEqual([]);
  },
);
