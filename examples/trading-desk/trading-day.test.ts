import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Order, SignedOrder } from './agents/orders.ts';
import { findCanaries } from './canary.ts';
import { checkSignatures } from './checks.ts';
import { openDesk, type OpenDesk } from './open-desk.fixture.ts';
import { ordersOf } from './plain-strategy.fixture.ts';
import { loadSeries } from './prices.ts';
import { newRunState, type RunState } from './run-state.ts';
import type { SigningKey } from './signing-key.ts';
import { tradingDay, type TradingDay } from './trading-day.ts';

const series = await loadSeries();
let folder = '';
/** The day that most tests look at, its desk, and what somebody who listens everywhere has heard of it. */
let usual: Day & { readonly desk: OpenDesk };
const symbols = ['MSFT', 'VIX'];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'desk-day-'));
  const desk = await openDesk();
  desk.witness.watchRuntime(desk.runtime);
  usual = { desk, ...(await trade(desk, desk.key, symbols)) };
  await desk.witness.sample();
});
afterAll(async () => {
  await usual.desk[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

interface Day {
  readonly day: TradingDay;
  readonly state: RunState;
  readonly said: readonly string[];
}

async function trade(desk: OpenDesk, key: SigningKey, symbols: readonly string[]): Promise<Day> {
  const { runtime, witness } = desk;
  const state = newRunState();
  const said: string[] = [];
  const day = await tradingDay({
    runtime,
    key,
    witness,
    state,
    folder,
    series: series.filter(({ symbol }) => symbols.includes(symbol)),
    seconds: 0.5,
    say: (line) => said.push(line),
  });
  return { day, state, said };
}

const unsigned = ({ symbol, side, price, date, pass }: SignedOrder): Order => ({
  symbol,
  side,
  price,
  date,
  pass,
});

test('each pass of each symbol brings exactly the orders the strategy decides, once and in order', () => {
  const { desk, day, state } = usual;
  for (const one of series.filter(({ symbol }) => symbols.includes(symbol))) {
    const orders = day.orders.filter(({ symbol }) => symbol === one.symbol).map(unsigned);
    const passes = orders.at(-1)?.pass ?? 0;
    expect(passes).toBeGreaterThan(0);
    const expected = Array.from({ length: passes }, (_, index) => ordersOf(one, index + 1)).flat();
    expect(orders).toEqual(expected);
  }
  expect(state.orders).toBe(day.orders.length);
  expect(desk.deadLetters).toEqual([]);
});

test('every signature verifies, before and after the rotation, and both versions were used', () => {
  const { desk, day, state, said } = usual;
  const { byVersion, wrong } = checkSignatures(day.orders, day.reports, desk.key.versions);
  expect(wrong).toBe(0);
  expect([...byVersion.keys()].toSorted()).toEqual([...desk.key.versions.keys()].toSorted());
  expect(day.rotatedTo).toBe([...desk.key.versions.keys()].at(-1));
  expect(day.rotationSeenBy).toEqual({ traders: 2, books: 2 });
  expect(state).toMatchObject({ instances: 2, rotationSeenBy: 2 });
  expect(said.at(-1)).toMatch(/^the key rotated in the service after [\d.]+ s/);
});

test('after the rotation no order goes back to the old key', () => {
  const { day } = usual;
  for (const one of symbols) {
    const orders = day.orders.filter(({ symbol }) => symbol === one);
    const versions = orders.map(({ keyVersion }) => keyVersion);
    const changes = versions.filter((version, index) => index > 0 && version !== versions[index - 1]);
    expect(changes).toEqual([day.rotatedTo]);
  }
});

test('traders do not go home before a rotation that is late', async () => {
  await using desk = await openDesk();
  const late: SigningKey = {
    ...desk.key,
    async rotate() {
      await sleep(1000);
      return await desk.key.rotate();
    },
  };
  const { day } = await trade(desk, late, ['MSFT', 'VIX']);
  expect(day.rotationSeenBy).toEqual({ traders: 2, books: 2 });
});

test("a key that is not the desk's to rotate keeps its version, and the day ends on time", async () => {
  await using desk = await openDesk();
  const foreign: SigningKey = { ...desk.key, rotate: async () => await Promise.resolve(undefined) };
  const { day, said } = await trade(desk, foreign, ['MSFT']);
  expect(day.rotatedTo).toBeUndefined();
  expect(day.rotationSeenBy).toEqual({ traders: 0, books: 0 });
  expect(new Set(day.orders.map(({ keyVersion }) => keyVersion)).size).toBe(1);
  expect(said.at(-1)).toContain('not this example');
});

test('the key is in no event, reply, snapshot, log line or notice of the day', () => {
  const { desk } = usual;
  const canaries = [...desk.key.versions].map(([name, value]) => ({ name, value }));
  expect(canaries).toHaveLength(2);
  const { entries } = desk.record;
  expect(new Set(entries.map(({ kind }) => kind))).toEqual(
    new Set(['event', 'reply', 'snapshot', 'notice', 'status']),
  );
  expect(findCanaries(entries, canaries)).toEqual([]);
});
