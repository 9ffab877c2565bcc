import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { InspectionEvent } from 'holdfast';

const run = promisify(execFile);

async function session(name: string): Promise<InspectionEvent[]> {
  const file = fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
  const { stdout } = await run(process.execPath, ['-C', 'holdfast-source', file], {
    timeout: 60_000,
    maxBuffer: 100_000_000,
  });
  return JSON.parse(stdout) as InspectionEvent[];
}

test("Stately's own relay and receiver take what a runtime with three pools sends its inspector", async () => {
  const received = await session('stately-session.ts');
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

test("Stately's receiver that joins our relay late hears of every actor, its definition, parent and state, and of senders from then on", async () => {
  const heard = await session('stately-late.ts');
  const last = (type: InspectionEvent['type'], id: string): InspectionEvent | undefined =>
    heard.findLast((event) => event.type === type && event.sessionId === id);
  for (const [address, pool] of [
    ['inspected/a', 'first'],
    ['second/b', 'second'],
    ['third/c', 'third'],
  ] as const) {
    const definition = expect.stringContaining('"working"');
    const parentId = `supervisor/pool:${pool}/thread:1`;
    expect(last('@xstate.actor', address)).toMatchObject({ definition, parentId });
    expect(last('@xstate.actor', `${address}/1`)).toMatchObject({ parentId: address });
    expect(last('@xstate.actor', parentId)).toMatchObject({ parentId: `supervisor/pool:${pool}` });
  }
  expect(last('@xstate.snapshot', 'inspected/a')).toMatchObject({ snapshot: { value: 'done' } });
  expect(last('@xstate.event', 'third/c')).toMatchObject({ sourceId: 'inspected/a' });
  const actors = heard.filter((event) => event.type === '@xstate.actor');
  const lost = actors.filter(
    ({ parentId }, n) =>
      parentId !== undefined && !actors.slice(0, n).some(({ sessionId }) => sessionId === parentId),
  );
  expect(lost).toEqual([]);
});
