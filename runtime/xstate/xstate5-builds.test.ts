import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createActor, fromTransition } from 'xstate';
import { describe, expect, it } from 'vitest';

interface Walked {
  readonly xstate: string;
  readonly seen: unknown[];
}

async function walk(execArgv: string[]): Promise<Walked> {
  const worker = new Worker(new URL('./fixtures/touch-points.ts', import.meta.url), { execArgv });
  try {
    const [walked] = (await once(worker, 'message', { signal: AbortSignal.timeout(10_000) })) as [Walked];
    return walked;
  } finally {
    await worker.terminate();
  }
}

/** The project of vitest.config.ts that this runs in: the tests of this folder run with either build. */
const build = process.env['XSTATE_BUILD'];

it(`these tests run with the build for ${build}`, () => {
  const actor = createActor(fromTransition(() => 0, 0)).start();
  let refused = false;
  try {
    actor.send('text' as never);
  } catch {
    // Only the build for development looks.
    refused = true;
  }

  expect(refused).toBe(build === 'development');
  expect(['development', 'production']).toContain(build);
  actor.stop();
});

describe('the touch-points hold in each build of XState', () => {
  it.each([
    ['production', ['-C', 'holdfast-source'], /xstate\.(cjs|esm)\.m?js$/],
    ['development', ['-C', 'development'], /development/],
  ])('%s', async (_build, execArgv, file) => {
    const { xstate, seen } = await walk(execArgv);

    expect(xstate).toMatch(file);
    expect(seen).toEqual([
      ['told', 'born'],
      ['hosted', 'agent/one', 'off', { n: 1 }],
      ['child', 'agent/one/1'],
      ['told', 'xstate.error.actor.one'],
      ['bounded', 'error'],
      ['watched', true],
      ['watched', false],
      ['taken', 'user'],
      ['emitted', 'noted'],
      ['twin', ['queued', 'xstate.stop']],
      ['revived', ['queued again']],
    ]);
  });
});
