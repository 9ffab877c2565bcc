import { enableCompileCache, getCompileCacheDir } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createRuntime } from '../index.ts';

const module = new URL('../fixtures/compiled.ts', import.meta.url);

test("a thread uses the host's compile cache, of which its agents' environment has nothing; one with permissions has none", async () => {
  enableCompileCache(join(tmpdir(), 'holdfast-compiled'));
  const open = { type: 'thread-bound', threadId: 'open', maxThreads: 1, module } as const;
  await using runtime = await createRuntime({
    agents: { open, closed: { ...open, threadId: 'closed' } },
    threads: { closed: { isolation: 'thread+permissions' } },
  });
  const seen = async (agent: 'open' | 'closed'): Promise<unknown> =>
    (await runtime.spawn(agent)).ask({ type: 'read' });

  expect(await seen('open')).toEqual({ folder: getCompileCacheDir(), env: {} });
  expect(await seen('closed')).toEqual({ folder: undefined, env: {} });
});
