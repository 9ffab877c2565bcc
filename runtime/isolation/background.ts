import type { ResolvedPool } from '../config/resolve.ts';
import { workerOptions } from '../threads/worker-options.ts';
import { selfTest, type AttackRow } from './self-test.ts';

/** One run for all runtimes of the process whose threads have the same options. */
interface Run {
  readonly rows: Promise<readonly AttackRow[] | undefined>;
  readonly abort: AbortController;
  users: number;
  over: boolean;
}

const runs = new Map<string, Run>();

export interface BackgroundTest {
  /** `undefined` when it was given up before it was through. */
  readonly rows: Promise<readonly AttackRow[] | undefined>;
  /** Ends it, unless somebody else waits for it; resolves when its thread is gone. */
  cancel(): Promise<void>;
}

/** The self-test of a pool, which is run once a process for equal options of its threads. */
export function testInBackground(pool: ResolvedPool, moduleUrls: readonly string[]): BackgroundTest {
  const { env, execArgv } = workerOptions(pool, '', moduleUrls);
  const key = JSON.stringify([pool.isolation, pool.permissions, env, execArgv]);
  const run = runs.get(key) ?? begin(key, pool, moduleUrls);
  run.users += 1;
  let held = true;
  return {
    rows: run.rows,
    async cancel() {
      if (!held) return;
      held = false;
      run.users -= 1;
      if (run.over || run.users > 0) return;
      runs.delete(key);
      run.abort.abort();
      await run.rows.catch(() => {});
    },
  };
}

function begin(key: string, pool: ResolvedPool, moduleUrls: readonly string[]): Run {
  const abort = new AbortController();
  const rows = selfTest(pool, moduleUrls, abort.signal);
  const run: Run = { rows, abort, users: 0, over: false };
  const over = (): void => void (run.over = true);
  rows.then(over, over);
  runs.set(key, run);
  return run;
}
