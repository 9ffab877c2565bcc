import { expect, test } from 'vitest';
import { waitFor } from 'xstate';
import { agent, type RuntimeEvents } from 'holdfast';
import type holding from '../fixtures/holding.ts';
import { fixture, nextEvent, start } from '../fixtures/start.ts';

const supervision = {
  state: 'snapshot',
  backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 },
} as const;
const agents = { holding: agent<typeof holding>(fixture('holding', { supervision })) };
const deadline = { timeout: 60_000 };

test('an instance that hands itself to a child keeps its state over a restart, and the child reaches it', async () => {
  const runtime = await start({ agents });
  const warnings: unknown[] = [];
  runtime.on('warning', (warning) => warnings.push(warning));
  const ref = await runtime.spawn('holding', { id: 'a', input: {} });
  for (let n = 0; n < 2; n++) await ref.deliver({ type: 'tick' });
  await waitFor(ref, (state) => state.context?.n === 2, deadline);

  ref.send({ type: 'fail' });
  await ref.deliver({ type: 'tick' });
  expect(ref.incarnation).toBe(2);
  await waitFor(ref, (state) => state.context?.n === 3, deadline);

  const envelope = await ref.persist();
  expect(JSON.parse(JSON.stringify(envelope.snapshot))).toMatchObject({
    children: { clock: { snapshot: { input: { parent: { xstate$$type: 1, id: 'a' } } } } },
  });
  const other = await runtime.spawn('holding', { id: 'b', snapshot: envelope });
  await other.deliver({ type: 'tick' });
  await waitFor(other, (state) => state.context?.n === 4, deadline);
  expect(warnings).toEqual([]);
});

test('a reference to another agent that is kept in a context reaches it after a restart', async () => {
  const runtime = await start({ agents });
  const letters: RuntimeEvents['dead-letter'][] = [];
  runtime.on('dead-letter', (letter) => letters.push(letter));
  const peer = await runtime.spawn('holding', { id: 'peer', input: {} });
  const ref = await runtime.spawn('holding', { id: 'a', input: { peer: peer.address } });
  await ref.deliver({ type: 'tell' });
  await waitFor(peer, (state) => state.context?.n === 100, deadline);

  ref.send({ type: 'fail' });
  await ref.deliver({ type: 'tell' });
  await waitFor(peer, (state) => state.context?.n === 200, deadline);
  expect(ref.incarnation).toBe(2);
  expect(letters).toEqual([]);
});

test('an instance that goes on from a state of a machine that was changed warns of what does not run', async () => {
  const changed = fixture('holding', { export: 'changed' });
  const runtime = await start({ agents: { ...agents, changed } });
  const warned = nextEvent<RuntimeEvents['warning']>((listener) => runtime.on('warning', listener));
  const ref = await runtime.spawn('holding', { id: 'a', input: {} });
  await runtime.spawn('changed', { id: 'b', snapshot: await ref.persist() });
  expect(await warned).toMatchObject({
    address: 'changed/b',
    message: expect.stringContaining('the child "clock": there is no logic "clock"') as string,
  });
});
