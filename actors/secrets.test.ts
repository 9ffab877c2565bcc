import fc from 'fast-check';
import { createActor, fromPromise, SimulatedClock } from 'xstate';
import { describe, expect, test } from 'vitest';
import {
  secretEntryMachine,
  type SecretEntrySpec,
  type SecretFetchInput,
  type SecretFetchOutcome,
} from './secret-entry.ts';
import { secretsMachine, type SecretsEmitted, type SecretsEvent } from './secrets.ts';

const spec = (key: string): SecretEntrySpec => ({
  key,
  provider: 'default',
  id: key,
  stage: 'AWSCURRENT',
  ttlMs: 1_000,
  maxStaleMs: 900_000,
});
const flush = async (): Promise<void> => {
  for (let turn = 0; turn < 8; turn += 1) await Promise.resolve();
};

/** The actor with fetches that bring `current` at once. */
function run(options: { evict?: () => void } = {}) {
  const clock = new SimulatedClock();
  const current: Record<string, string> = {};
  const fetches: string[] = [];
  const answered: string[] = [];
  const emitted: SecretsEmitted[] = [];
  const entry = secretEntryMachine.provide({
    actors: {
      fetch: fromPromise<SecretFetchOutcome, SecretFetchInput>(async ({ input }) => {
        fetches.push(input.key);
        const versionId = current[input.key] ?? 'v1';
        return versionId === 'none'
          ? { ok: false, failure: 'denied' }
          : { ok: true, versionId, fetchedAt: clock.now() };
      }),
    },
    actions: { answer: ({ context }) => void answered.push(context.key), evict: () => options.evict?.() },
  });
  const actor = createActor(secretsMachine.provide({ actors: { entry } }), { clock }).start();
  actor.on('*', (event) => void emitted.push(event));
  const send = (event: SecretsEvent): void => actor.send(event);
  const openGrant = (address: string, ...keys: string[]): void =>
    send({ type: 'grant.open', address, entries: keys.map((key) => spec(key)) });
  const entryOf = (key: string) => actor.getSnapshot().context.entries[key]?.getSnapshot();
  const holders = (key: string): number => entryOf(key)?.context.holders ?? 0;
  return { actor, clock, current, fetches, answered, emitted, send, openGrant, entryOf, holders };
}

describe('the secrets actor', () => {
  test('has no entry before somebody is granted or needs a secret', () => {
    const { actor, send, fetches } = run();
    send({ type: 'grant.open', address: 'a/1', entries: [] });
    send({ type: 'grant.close', address: 'a/2' });
    expect([actor.getSnapshot().context, fetches]).toEqual([{ entries: {}, breakers: {}, grants: {} }, []]);
  });

  test('makes one entry a key, however many are granted it or need it', async () => {
    const { actor, send, openGrant, fetches, answered } = run();
    openGrant('a/1', 'k');
    openGrant('a/2', 'k', 'l');
    send({ type: 'secret.need', entries: [spec('k')] });
    await flush();
    expect(Object.keys(actor.getSnapshot().context.entries)).toEqual(['k', 'l']);
    expect([fetches, answered]).toEqual([
      ['k', 'l'],
      ['k', 'l'],
    ]);
  });

  test('takes one step for many that are needed at once, and none for their first values', async () => {
    const { actor, send, fetches, answered } = run();
    const keys = Array.from({ length: 50 }, (_, n) => `k${n}`);
    let steps = 0;
    actor.subscribe(() => void (steps += 1));
    send({ type: 'secret.need', entries: keys.map(spec) });
    await flush();
    expect([steps, fetches, answered]).toEqual([1, keys, keys]);
    send({ type: 'secret.need', entries: ['k0', 'new'].map(spec) });
    await flush();
    expect([steps, fetches.slice(50), answered.slice(50)]).toEqual([2, ['new'], ['k0', 'new']]);
  });

  test('emits what rotated, and nothing for a first fetch or one that changed nothing', async () => {
    const { openGrant, clock, current, emitted, send } = run();
    openGrant('a/1', 'k');
    await flush();
    clock.increment(1_000);
    await flush();
    expect(emitted).toEqual([]);
    current['k'] = 'v2';
    clock.increment(1_000);
    await flush();
    current['k'] = 'v1';
    send({ type: 'secret.refresh', entry: spec('k') });
    await flush();
    expect(emitted).toEqual([
      {
        type: 'news',
        key: 'k',
        news: { type: 'rotated', epoch: 2, versionId: 'v2', previousVersionId: 'v1', cause: 'poll' },
      },
      {
        type: 'news',
        key: 'k',
        news: { type: 'rotated', epoch: 3, versionId: 'v1', previousVersionId: 'v2', cause: 'rollback' },
      },
    ]);
  });

  test('an entry that throws is put back with its epoch and its holders and waits before it calls; the others go on', async () => {
    let broken = false;
    const { actor, clock, current, emitted, openGrant, entryOf, fetches, send } = run({
      evict: () => {
        if (broken) throw new Error('a broken effect');
      },
    });
    openGrant('a/1', 'k', 'l');
    openGrant('a/2', 'k');
    await flush();
    current['k'] = 'v2';
    send({ type: 'secret.refresh', entry: spec('k') });
    await flush();
    broken = true;
    current['k'] = 'none';
    send({ type: 'secret.refresh', entry: spec('k') });
    await flush();
    expect(actor.getSnapshot().status).toBe('active');
    expect(emitted).toContainEqual({ type: 'entry.lost', key: 'k' });
    expect(entryOf('k')).toMatchObject({
      status: 'active',
      value: 'failed',
      context: { epoch: 2, versionId: 'v2', holders: 2 },
    });
    expect(entryOf('l')?.value).toBe('fresh');
    broken = false;
    current['k'] = 'v3';
    const before = fetches.length;
    clock.increment(1_000);
    await flush();
    expect(fetches.slice(before)).toEqual(['l']);
    clock.increment(1_000);
    await flush();
    expect(fetches.slice(before).sort()).toEqual(['k', 'l', 'l']);
    expect(entryOf('k')).toMatchObject({ value: 'fresh', context: { epoch: 3 } });
  });

  test('ends with its entries when told to', async () => {
    const { actor, openGrant, send, clock, fetches } = run();
    openGrant('a/1', 'k');
    await flush();
    const entry = actor.getSnapshot().context.entries['k'];
    send({ type: 'secrets.stop' });
    clock.increment(10_000);
    expect([actor.getSnapshot().status, entry?.getSnapshot().status, fetches.length]).toEqual([
      'done',
      'stopped',
      1,
    ]);
  });

  test('its snapshot is JSON with addresses and versions and nothing else to hide', async () => {
    const { actor, openGrant } = run();
    openGrant('a/1', 'k');
    await flush();
    const saved = JSON.parse(JSON.stringify(actor.getPersistedSnapshot())) as Record<string, unknown>;
    expect(saved).toMatchObject({ context: { grants: { 'a/1': ['k'] } }, status: 'active' });
  });
});

test('whatever opens and closes in whatever order, each entry counts exactly the grants of live instances', () => {
  const address = fc.constantFrom('a/1', 'a/2', 'a/3');
  const step = fc.oneof(
    fc.record({ address, keys: fc.array(fc.constantFrom('k', 'l', 'm'), { maxLength: 4 }) }),
    fc.record({ address, keys: fc.constant(undefined) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { openGrant, send, holders } = run();
      const model = new Map<string, string[]>();
      for (const { address, keys } of steps) {
        if (keys === undefined) {
          send({ type: 'grant.close', address });
          model.delete(address);
        } else {
          openGrant(address, ...keys);
          model.set(address, keys);
        }
        const all = [...model.values()].flat();
        for (const key of ['k', 'l', 'm'])
          expect(holders(key)).toBe(all.filter((held) => held === key).length);
      }
    }),
    { numRuns: 200 },
  );
});
