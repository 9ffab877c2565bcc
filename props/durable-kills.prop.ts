import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { afterAll, expect, test, vi } from 'vitest';
import { runUntilKilled } from './durable-kills/killed-run.ts';
import { Known } from './durable-kills/known.ts';

/** 50 in the nightly run; `npm run soak:kills` counts what was in play. */
const kills = Math.min(Number(process.env['HOLDFAST_RUNS'] ?? 1), 50);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-durable-kills-'));

vi.setConfig({ testTimeout: 120_000 + 20_000 * kills });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(kills === 1 ? [4] : [1, 4])(
  'a process with %d threads that is killed at work loses nothing that was acknowledged, and does nothing twice or by half',
  async (threads) => {
    const path = join(folder, `${threads}.db`);
    const known = new Known();
    // The last one finds what the one before has left.
    for (let i = 0; i <= kills; i++) {
      const killAfterMs = i === kills ? 0 : 300 + ((i * 7919) % 500);
      const found = await runUntilKilled({
        node: execPath,
        path,
        threads,
        killAfterMs,
        from: 'load',
        asleepMs: 0,
        known,
      });
      expect(found).toEqual({ lost: [], doubled: [], torn: [] });
    }
    expect(known.acknowledged.size).toBeGreaterThan(kills);
  },
);
