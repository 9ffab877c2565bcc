import { inspect } from 'node:util';
import { expect, test, vi } from 'vitest';
import { waitFor } from 'xstate';
import { agent, defineCapability, memoryStore, type Grant, type Logger, type RuntimeEvents } from 'holdfast';
import type blabbing from '../fixtures/blabbing.ts';
import { fixture, nextEvent, start } from '../fixtures/start.ts';

const CANARY = 'CANARY-exits/5d1c "88"';
const backwards = (text: string): string => text.split('').toReversed().join('');
const REDACTED = '<redacted:secret>';
const input = { value: backwards(CANARY) };
const quick = { backoff: { minMs: 1, maxMs: 5, factor: 2, jitter: 0 } } as const;
const grant: Grant = { ref: 'EXITS_CANARY', mode: 'capability', capabilities: ['sign'] };

/** A runtime that knows the canary and an instance that was told it, with everything that comes out of them. */
async function rig(supervision: object = quick) {
  process.env['EXITS_CANARY'] = CANARY;
  const out: unknown[] = [];
  const note = (fields: object, message: string): void => void out.push(fields, message);
  const logger: Logger = { debug: note, info: note, warn: note, error: note };
  const store = memoryStore();
  const save = vi.spyOn(store, 'save');
  const runtime = await start(
    {
      externalSecrets: { provider: 'env' },
      agents: {
        blabbing: agent<typeof blabbing>(fixture('blabbing', { secrets: { key: grant }, supervision })),
      },
    },
    { logger, store, capabilities: [defineCapability('sign', () => 1)] },
  );
  for (const type of ['dead-letter', 'thread', 'agent', 'secret', 'escalation', 'warning'] as const)
    runtime.on(type, (event) => out.push(event));
  const ref = await runtime.spawn('blabbing', { id: 'a', input });
  await vi.waitFor(() => expect(runtime.status().secrets[0]?.state).toBe('fresh'), { timeout: 60_000 });
  return { runtime, ref, out, save, shown: () => show(out) };
}

const show = (found: unknown): string =>
  inspect(found, { depth: 12, showHidden: true, maxStringLength: null, maxArrayLength: null });

/** What is redacted is so in the right place: beside it stands what the agent said. */
function assertScrubbed(text: string, beside: string): void {
  expect(text).toContain(`${beside}${REDACTED}`);
  expect(text).not.toContain(CANARY);
  expect(text).not.toContain(JSON.stringify(CANARY).slice(1, -1));
  expect(text).not.toContain(Buffer.from(CANARY).toString('base64'));
}

const settled = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'done',
    (error: unknown) => error,
  );

test('the error of a turn is scrubbed where the asker, the log, the observer and the escalation see it', async () => {
  const { runtime, ref, shown } = await rig({ ...quick, intensity: { restarts: 1, withinMs: 60_000 } });
  const observed: unknown[] = [];
  ref.subscribe({ error: (error) => observed.push(error) });
  const escalated = nextEvent<RuntimeEvents['escalation']>((listener) => runtime.on('escalation', listener));
  const [first, second] = [settled(ref.ask({ type: 'throw' })), settled(ref.ask({ type: 'throw' }))];
  assertScrubbed(show(await first), 'threw ');
  expect(await first).toBeInstanceOf(TypeError);
  assertScrubbed(show(await second), 'threw ');
  assertScrubbed(show((await escalated).error), 'threw ');
  assertScrubbed(show((await escalated).evidence), 'threw ');
  assertScrubbed(show(observed), 'threw ');
  assertScrubbed(show(ref.getSnapshot().error), 'threw ');
  assertScrubbed(shown(), 'threw ');
});

test.each([
  ['an invoked promise', 'invoke', 'invoked with '],
  ['a guard', 'guarded', 'guarded with '],
  ['code that nobody waits for', 'throw.later', 'nobody caught '],
] as const)('the error of %s is scrubbed', async (_, type, beside) => {
  const { runtime, ref, shown } = await rig();
  const again = nextEvent<RuntimeEvents['agent']>(
    (listener) => runtime.on('agent', listener),
    ({ state, incarnation }) => state === 'running' && incarnation === 2,
  );
  ref.send({ type });
  await again;
  assertScrubbed(shown(), beside);
});

test('an event that carries a value and was not handled is shown without it, and replayed as it was', async () => {
  const { runtime, ref, out } = await rig();
  const [b, c] = [await runtime.spawn('blabbing', { id: 'b', input }), 'blabbing/nobody'];
  const letter = nextEvent<RuntimeEvents['dead-letter']>((listener) => runtime.on('dead-letter', listener));
  ref.send({ type: 'send.nowhere' });
  expect(await letter).toMatchObject({ address: c, reason: 'unknown-address', event: { value: REDACTED } });
  expect(runtime.deadLetters.list()).toMatchObject([{ event: { type: 'told', value: REDACTED } }]);
  const told: unknown[] = [];
  await b.stop();
  const nobody = await runtime.spawn('blabbing', { id: 'nobody', input });
  nobody.on('told', (event) => told.push(event));
  const [{ id } = { id: '' }] = runtime.deadLetters.list();
  await runtime.deadLetters.replay(id);
  expect(runtime.deadLetters.list()).toEqual([]);
  nobody.send({ type: 'emit' });
  await vi.waitFor(() => expect(told).toEqual([{ type: 'told', value: CANARY }]));
  assertScrubbed(show(out), "value: '");
});

test('the evidence of a poison letter is scrubbed, and letters stay so after the runtime has stopped', async () => {
  const { runtime, ref } = await rig();
  const event = { type: 'exit', note: CANARY } as never;
  await settled(ref.deliver(event));
  assertScrubbed(show(runtime.deadLetters.list()), "note: '");
  await runtime.stop();
  assertScrubbed(show(runtime.deadLetters.list()), "note: '");
});

test('a state that carries a value is not stored and not given out; the instance goes on', async () => {
  const { runtime, ref, save, out } = await rig({ ...quick, state: 'snapshot' });
  await ref.deliver({ type: 'forget' });
  await vi.waitFor(() => expect(save).toHaveBeenCalled());
  const before = save.mock.calls.length;
  const warned = nextEvent<RuntimeEvents['warning']>((listener) => runtime.on('warning', listener));
  await ref.deliver({ type: 'keep' });
  expect(await warned).toMatchObject({
    address: ref.address,
    error: { code: 'SECRET_IN_SNAPSHOT', message: expect.stringContaining('snapshot.context.note.deep.0') },
  });
  await ref.deliver({ type: 'keep' });
  await expect(ref.persist()).rejects.toMatchObject({ code: 'SECRET_IN_SNAPSHOT' });
  expect(save.mock.calls.length).toBe(before);
  // What it is in is the program's own business.
  expect(await ref.ask({ type: 'ask' })).toBe(CANARY);
  expect((await ref.snapshot()).context.note).toEqual({ deep: [CANARY] });
  await ref.deliver({ type: 'forget' });
  await vi.waitFor(() => expect(save.mock.calls.length).toBe(before + 1));
  expect(await ref.persist()).toMatchObject({ snapshot: { context: { value: input.value } } });
  expect(out.filter((one) => show(one).includes('is not stored'))).toHaveLength(2);
  expect(show([save.mock.calls, out])).not.toContain(CANARY);
});

test("the output and what an instance emits are the program's own, and are not touched", async () => {
  const { ref, shown } = await rig();
  const done = waitFor(ref, (state) => state.status === 'done', { timeout: 60_000 });
  ref.send({ type: 'finish' });
  expect((await done).output).toEqual({ told: CANARY });
  expect(shown()).not.toContain(CANARY);
});

test('a spawn that fails with a value in its error is rejected without it', async () => {
  const { runtime } = await rig({ restart: 'temporary' });
  const failing = settled(
    runtime.spawn('blabbing', {
      input: {
        get value(): string {
          throw new Error(CANARY);
        },
      },
    }),
  );
  expect(show(await failing)).not.toContain(CANARY);
});

test('the status shows no value, whatever an address is made of', async () => {
  const { runtime } = await rig();
  await runtime.spawn('blabbing', { id: CANARY, input });
  expect(JSON.stringify(runtime.status())).toContain(REDACTED);
  expect(JSON.stringify(runtime.status())).not.toContain(encodeURIComponent(CANARY));
});
