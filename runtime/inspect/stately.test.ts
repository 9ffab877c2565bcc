import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { InspectionEvent } from 'holdfast';

const run = promisify(execFile);

test("Stately's own relay and receiver take what a runtime with three pools sends its inspector", async () => {
  const file = fileURLToPath(new URL('fixtures/stately-session.ts', import.meta.url));
  const { stdout } = await run(process.execPath, ['-C', 'holdfast-source', file], {
    timeout: 25_000,
    maxBuffer: 100_000_000,
  });
  const received = JSON.parse(stdout) as InspectionEvent[];
  const got = (type: InspectionEvent['type'], sessionId: string): unknown[] =>
    received.filter((event) => event.type === type && event.sessionId === sessionId);
  expect(got('@xstate.actor', 'supervisor')).toHaveLength(1);
  for (const [address, pool] of [
    ['inspected/a', 'first'],
    ['second/b', 'second'],
    ['third/c', 'third'],
  ] as const) {
    expect(got('@xstate.actor', address)).toMatchObject([
      { parentId: `supervisor/pool:${pool}/thread:1`, definition: expect.stringContaining('"working"') },
    ]);
    expect(got('@xstate.snapshot', address)[0]).toMatchObject({ snapshot: { value: 'idle' } });
  }
  expect(got('@xstate.event', 'second/b')).toContainEqual(
    expect.objectContaining({ sourceId: 'inspected/a', event: expect.objectContaining({ type: 'told' }) }),
  );
});
