import { env } from 'node:process';
import { setImmediate as immediate } from 'node:timers/promises';
import fc from 'fast-check';
import { SimulatedClock } from 'xstate';
import { expect, test } from 'vitest';
import type { ResolvedGrant } from '../runtime/config/resolve.ts';
import { createSecretsBroker } from '../runtime/secrets/broker.ts';
import { defineCapability } from '../runtime/secrets/capabilities/capability.ts';
import type { SecretEvent } from '../runtime/secrets/secret-event.ts';
import {
  createObservedService,
  lateMs,
  refusals,
  valueOf,
  type Weather,
} from './secrets/observed-service.ts';

/** More of them: `HOLDFAST_RUNS=10000 npx vitest run props/secrets.prop.ts`. */
const numRuns = Number(env['HOLDFAST_RUNS'] ?? 60);
const replay = {
  ...(env['HOLDFAST_SEED'] && { seed: Number(env['HOLDFAST_SEED']) }),
  ...(env['HOLDFAST_PATH'] && { path: env['HOLDFAST_PATH'] }),
};

const ttlMs = 60_000;
const maxStaleMs = 120_000;
/** The longest way back: a back-off, an open breaker, a refusal that is remembered, and a poll. */
const healMs = 128_000 + 30_000 + 30_000 + ttlMs + 8_000;
/** A fetch that hangs still, the time between two looks, and two looks of three slow calls. */
const followedMs = 8_000 + 5_000 + 6 * lateMs + 1_000;
/** How far the clock goes at one time. */
const tickMs = 1_000;

const id = fc.constantFrom('a', 'a', 'b');
const agent = fc.constantFrom('x/1', 'x/2', 'y/1');
const passing: fc.Arbitrary<Weather> = fc.constantFrom(
  'transient',
  'throttled',
  'expired-credentials',
  'hang',
  'slow',
  'slow',
);
const refusing = fc.constantFrom(...refusals);
const steps = {
  /** To a new version, or back by so many. */
  rotate: fc.record({ do: fc.constant('rotate' as const), id, back: fc.constantFrom(0, 0, 0, 1, 1, 2, 3) }),
  /** A new version that is fetched, and then the one before it again: by chance alone, too rare. */
  rollback: fc.record({ do: fc.constant('rollback' as const), id }),
  /** A use of what the service has just refused: as rare. */
  refusal: fc.record({ do: fc.constant('refusal' as const), agent, id, how: refusing }),
  hint: fc.record({
    do: fc.constant('hint' as const),
    id,
    about: fc.constantFrom('current', 'current', 'earlier', 'unknown', 'nothing'),
    times: fc.constantFrom(1, 1, 2, 5),
  }),
  weather: fc.record({ do: fc.constant('weather' as const), id, how: fc.oneof(passing, refusing) }),
  heal: fc.record({ do: fc.constant('weather' as const), id, how: fc.constant('good' as const) }),
  refresh: fc.record({ do: fc.constant('refresh' as const), id, times: fc.constantFrom(1, 1, 30) }),
  use: fc.record({ do: fc.constant('use' as const), agent, id, times: fc.constantFrom(1, 1, 30) }),
  claim: fc.record({ do: fc.constant('claim' as const), agent, id }),
  restart: fc.record({ do: fc.constant('restart' as const), agent, continues: fc.boolean() }),
  close: fc.record({ do: fc.constant('close' as const), agent }),
  pass: fc.record({
    do: fc.constant('pass' as const),
    ms: fc.constantFrom(0, 1_000, 5_000, 10_000, 30_000, 60_000, 130_000),
  }),
};
const { rotate, rollback, refusal, hint, weather, heal, refresh, use, claim, restart, close, pass } = steps;
const story = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: rotate },
    { weight: 1, arbitrary: rollback },
    { weight: 1, arbitrary: refusal },
    { weight: 3, arbitrary: hint },
    { weight: 2, arbitrary: weather },
    { weight: 2, arbitrary: heal },
    { weight: 2, arbitrary: refresh },
    { weight: 4, arbitrary: use },
    { weight: 2, arbitrary: claim },
    { weight: 2, arbitrary: restart },
    { weight: 1, arbitrary: close },
    { weight: 6, arbitrary: pass },
  ),
  { minLength: 5, maxLength: 30 },
);
type Story = typeof story extends fc.Arbitrary<infer T> ? T : never;

const grants = ['a', 'b'].map((label): ResolvedGrant => ({
  label,
  provider: 'default',
  id: label,
  mode: 'capability',
  capabilities: ['tell', 'claim'],
}));

/** One incarnation of an instance, and what it has heard. */
interface Life {
  readonly address: string;
  readonly incarnation: number;
  readonly heard: SecretEvent[];
  /** Epochs when it began, by label. */
  readonly from: Record<string, number>;
}

/** How much of everything the stories had in them. */
const seen = { rotated: 0, stale: 0, revoked: 0, rollbacks: 0, calls: 0, uses: 0, refused: 0, followed: 0 };

async function play(told: Story): Promise<void> {
  const wrong: string[] = [];
  const clock = new SimulatedClock();
  const now = (): number => clock.now();
  const isOpen = (): boolean => broker.providers().some(({ breaker }) => breaker === 'open');
  const service = createObservedService(['a', 'b'], clock, isOpen, (what) => wrong.push(`${now()}: ${what}`));
  const broker = createSecretsBroker({
    providers: [{ alias: 'default', provider: 'observed', cacheTtlMs: ttlMs, maxStaleMs, options: {} }],
    customProviders: [service.provider],
    capabilities: [
      defineCapability('tell', async (secret, label) => {
        const isRight = await secret.use(
          (value) => value.toString() === valueOf(String(label), secret.versionId),
        );
        return isRight ? secret.versionId : 'another value';
      }),
      defineCapability('claim', async (secret, _args, { rejected }) => {
        const other = await rejected();
        return [secret.versionId, other.versionId];
      }),
    ],
    clock,
    onWarning: () => {},
  });
  const lives = new Map<string, Life>();
  const epochs: Record<string, number> = { a: 0, b: 0 };
  const versions: Record<string, string | undefined> = {};
  /** Of each secret the last hint that was right. */
  const hinted = new Map<string, { readonly at: number; readonly current: string }>();
  const open = new Set<Promise<unknown>>();
  let made = 1;

  function watch(): void {
    for (const { id, epoch, versionId } of broker.status()) {
      const before = epochs[id] as number;
      if (epoch < before) wrong.push(`${now()}: the epoch of ${id} fell from ${before} to ${epoch}`);
      const isOther = versionId !== versions[id];
      // There and back again between two looks is two epochs.
      if (isOther ? epoch === before : epoch === before + 1)
        wrong.push(`${now()}: ${id} is ${versionId} in epoch ${epoch}, after ${versions[id]} in ${before}`);
      if (isOther && versionId !== service.of(id).told)
        wrong.push(`${now()}: ${id} went to ${versionId}, and its service said ${service.of(id).told}`);
      epochs[id] = epoch;
      versions[id] = versionId;
      watchHint(id, versionId);
    }
  }
  /** A hint that was right has been followed soon, unless something came between. */
  function watchHint(id: string, versionId: string | undefined): void {
    const hint = hinted.get(id);
    const { weather, current } = service.of(id);
    if (hint === undefined) return;
    if (
      (weather !== 'good' && weather !== 'slow') ||
      current !== hint.current ||
      lives.size === 0 ||
      broker.providers()[0]?.breaker !== 'closed'
    )
      hinted.delete(id);
    else if (now() > hint.at + followedMs) {
      seen.followed += 1;
      hinted.delete(id);
      if (versionId !== current)
        wrong.push(`${now()}: ${id} is ${versionId}, a hint at ${hint.at} said ${current}`);
    }
  }
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 3; turn++) await immediate();
    watch();
  };
  const go = async (ms: number): Promise<void> => {
    await settle();
    for (let left = ms; left > 0; left -= tickMs) {
      clock.increment(Math.min(left, tickMs));
      await settle();
    }
  };
  const track = (promise: Promise<unknown>): void => {
    const ended = promise.catch(() => {}).finally(() => open.delete(ended));
    open.add(ended);
  };

  function begin(address: string, incarnation: number, continues: boolean): void {
    const life: Life = { address, incarnation, heard: [], from: { ...epochs } };
    lives.set(address, life);
    broker.open({ address, incarnation, pool: 'p', continues }, grants, (event) => {
      if (lives.get(address) !== life) wrong.push(`${now()}: ${address} heard after its end`);
      const last = life.heard.findLast(({ label }) => label === event.label);
      if (event.epoch < (last?.epoch ?? 0))
        wrong.push(`${now()}: ${address} heard epoch ${event.epoch} after ${last?.epoch}`);
      life.heard.push(event);
      if (event.type === 'secret.rotated') {
        seen.rotated += 1;
        if (event.cause === 'rollback') seen.rollbacks += 1;
        track(tellsOf(life, event));
      }
      if (event.type === 'secret.stale') seen.stale += 1;
      if (event.type === 'secret.revoked') seen.revoked += 1;
    });
  }

  /** Whoever hears of a version can use it already. */
  async function tellsOf({ address, incarnation, heard }: Life, event: SecretEvent): Promise<void> {
    const caller = { address, incarnation, pool: 'p' };
    const used = await broker.call(caller, 'tell', event.label, event.label).catch(() => undefined);
    const isLast = heard.findLast(({ label }) => label === event.label) === event;
    if (isLast && lives.get(address)?.incarnation === incarnation && used !== event.versionId)
      wrong.push(`${now()}: ${address} heard of ${event.versionId} and used ${String(used)}`);
  }

  async function used({ address, incarnation }: Life, label: string): Promise<void> {
    const secret = service.of(label);
    const { refused, goodAt, running } = secret;
    const at = now();
    seen.uses += 1;
    const result = await broker
      .call({ address, incarnation, pool: 'p' }, 'tell', label, label)
      .catch(() => undefined);
    if (result === undefined) {
      seen.refused += 1;
      return;
    }
    if (!secret.versions.includes(result as string)) wrong.push(`${at}: ${label} gave another value`);
    // Answered without a wait, so by what was held.
    if (now() > at || running > 0 || secret.goodAt > goodAt) return;
    if (refused) wrong.push(`${at}: ${label} was used after it was refused`);
    if (at - goodAt > maxStaleMs) wrong.push(`${at}: ${label} was used ${at - goodAt} ms after it was good`);
  }

  const run = async (one: Story[number]): Promise<void> => {
    if (one.do === 'pass') return go(one.ms);
    if (one.do === 'weather') service.of(one.id).weather = one.how;
    else if (one.do === 'rotate') {
      const { versions } = service.of(one.id);
      const earlier = one.back === 0 ? undefined : versions[versions.length - 1 - one.back];
      service.rotate(one.id, earlier ?? `v${(made += 1)}`);
    } else if (one.do === 'rollback') {
      for (const back of [0, 1] as const) {
        await run({ do: 'rotate', id: one.id, back });
        await run({ do: 'refresh', id: one.id, times: 1 });
        await run({ do: 'pass', ms: 10_000 });
      }
    } else if (one.do === 'refusal') {
      await run({ do: 'weather', id: one.id, how: one.how });
      await run({ do: 'refresh', id: one.id, times: 1 });
      await run({ do: 'pass', ms: 10_000 });
      await run({ do: 'use', agent: one.agent, id: one.id, times: 1 });
    } else if (one.do === 'hint') {
      const { current, versions } = service.of(one.id);
      const about = { current, earlier: versions[0], unknown: 'v0', nothing: undefined }[one.about];
      for (let n = 0; n < one.times; n++)
        service.hint({ id: one.id, source: 'test', ...(about !== undefined && { versionId: about }) });
      if (about === undefined || about === current) hinted.set(one.id, { at: now(), current });
    } else if (one.do === 'refresh') {
      for (let n = 0; n < one.times; n++) {
        track(broker.refresh('default', one.id));
        await settle();
      }
    } else if (one.do === 'restart') {
      const incarnation = (lives.get(one.agent)?.incarnation ?? 0) + 1;
      lives.delete(one.agent);
      broker.suspend(one.agent);
      begin(one.agent, incarnation, one.continues);
    } else if (one.do === 'close') {
      lives.delete(one.agent);
      broker.close(one.agent);
    } else {
      const life = lives.get(one.agent);
      if (life === undefined) return;
      const { address, incarnation } = life;
      if (one.do === 'claim') track(broker.call({ address, incarnation, pool: 'p' }, 'claim', one.id, 0));
      else {
        for (let n = 0; n < one.times; n++) {
          track(used(life, one.id));
          await settle();
        }
      }
    }
    await settle();
  };

  begin('x/1', 1, false);
  begin('x/2', 1, false);
  await settle();
  for (const one of told) await run(one);

  // It clears up, and nobody does anything any more.
  for (const id of ['a', 'b']) service.of(id).weather = 'good';
  await go(healMs);
  if (open.size > 0) wrong.push(`${open.size} calls did not end`);
  for (const [address, life] of lives) {
    for (const label of ['a', 'b']) {
      const { current } = service.of(label);
      const caller = { address, incarnation: life.incarnation, pool: 'p' };
      const version = await broker.call(caller, 'tell', label, label).catch((error: Error) => error.message);
      if (version !== current)
        wrong.push(`${address} ends on ${String(version)} of ${label}, not on ${current}`);
      const heard = life.heard.filter((event) => event.label === label);
      const last = heard.findLast(({ type }) => type === 'secret.rotated');
      const epoch = epochs[label] as number;
      // The first version of all is no rotation.
      if (epoch > Math.max(1, life.from[label] ?? 0) && (last?.epoch !== epoch || last.versionId !== current))
        wrong.push(
          `${address} last heard of ${last?.versionId} (${last?.epoch}) of ${label}, not of epoch ${epoch}`,
        );
      const standing = heard.findLast(({ type }) => type !== 'secret.rotated')?.type ?? 'secret.recovered';
      if (standing !== 'secret.recovered') wrong.push(`${address} thinks that ${label} is ${standing}`);
    }
  }
  for (const id of ['a', 'b']) {
    const { begun } = service.of(id);
    seen.calls += begun.length;
    for (const [n, at] of begun.entries()) {
      const after = begun[n + 12];
      if (after !== undefined && after - at < 5_000) wrong.push(`${at}: 12 calls for ${id} within 5 s`);
    }
  }
  await broker.stop();
  expect(wrong).toEqual([]);
}

test('whatever happens to hints, polls, services and agents, agents end on the current version, and none that was refused or is too old is used', async () => {
  await fc.assert(fc.asyncProperty(story, play), { numRuns, ...replay });
  // All of it was tried.
  expect(seen.rotated).toBeGreaterThan(numRuns);
  for (const [what, count] of Object.entries(seen))
    expect([what, count > numRuns / 400]).toEqual([what, true]);
}, 600_000);

test('a secret that is refused is the trouble of those who are granted it, and of nobody else', async () => {
  const onlyA = story.map((told) =>
    told.map((one) => ('id' in one && one.do === 'weather' ? { ...one, id: 'a' } : one)),
  );
  const refusedOnly = onlyA.filter((told) =>
    told.every((one) => one.do !== 'weather' || !['transient', 'throttled', 'hang'].includes(one.how)),
  );
  let uses = 0;
  const property = fc.asyncProperty(refusedOnly, async (told) => {
    const clock = new SimulatedClock();
    const service = createObservedService(
      ['a', 'b'],
      clock,
      () => false,
      () => {},
    );
    const broker = createSecretsBroker({
      providers: [{ alias: 'default', provider: 'observed', cacheTtlMs: ttlMs, options: {} }],
      customProviders: [service.provider],
      capabilities: [defineCapability('tell', (secret) => secret.versionId)],
      clock,
    });
    const heard: SecretEvent[] = [];
    const caller = { address: 'x/1', incarnation: 1, pool: 'p' };
    broker.open(caller, grants, (event) => void (event.label === 'b' && heard.push(event)));
    for (const one of told) {
      if (one.do === 'weather') service.of('a').weather = one.how;
      if (one.do === 'hint') service.hint({ id: one.id, source: 'test' });
      if (one.do === 'refresh') broker.refresh('default', one.id).catch(() => {});
      for (let left = one.do === 'pass' ? one.ms : 0; left > 0; left -= tickMs) {
        clock.increment(tickMs);
        await immediate();
      }
      broker.call(caller, 'tell', 'a', 'a').catch(() => {});
      uses += 1;
      expect(await broker.call(caller, 'tell', 'b', 'b')).toBe('v1');
    }
    await broker.stop();
    expect(heard).toEqual([]);
  });
  await fc.assert(property, { numRuns, ...replay });
  expect(uses).toBeGreaterThan(numRuns);
}, 600_000);
