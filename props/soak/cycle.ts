import { setTimeout as pause } from 'node:timers/promises';
import { createRuntime, type AgentRef, type Runtime, type RuntimeStatus } from 'holdfast';
import { Asks, p99 } from './asks.ts';
import { createBooks, openBooks, type Books } from './books.ts';
import type { Chance } from './chance.ts';
import { soakConfig } from './config.ts';
import { Crew } from './crew.ts';
import { Journal } from './journal.ts';
import { accountOf, type Account } from './judge.ts';
import { Load } from './load.ts';
import { Mischief, ORDERS, type Order } from './mischief.ts';
import { FAULTS, MEMBERS, type FaultKind } from './roster.ts';
import { ThreadWatch } from './threads.ts';

export interface CycleOptions {
  readonly chance: Chance;
  /** Of load; with faults: of which a third is without, for comparison. */
  readonly ms: number;
  readonly faults: boolean;
}

/** What was seen in the life of one runtime. */
export interface Seen {
  readonly account: Account;
  readonly fired: Readonly<Record<FaultKind, number>>;
  readonly ordered: Readonly<Record<Order, number>>;
  readonly moved: number;
  readonly lettersByReason: Readonly<Record<string, number>>;
  readonly outcomes: Readonly<Record<string, number>>;
  /** How threads ended, over all pools. */
  readonly endedThreads: Readonly<Record<string, number>>;
  readonly startedThreads: number;
  readonly restarts: number;
  readonly quarantines: number;
  readonly spawned: number;
  readonly stopped: number;
  readonly resumed: number;
  /** Lives of members that keep their state, each compared with what was sent to it. */
  readonly states: number;
  readonly peaks: ReadonlyMap<string, number>;
  readonly looks: number;
  readonly answered: number;
  readonly p99: { readonly before: number; readonly during: number; readonly ratios: readonly number[] };
  readonly drainMs: number;
  readonly stopMs: number;
  readonly wrong: readonly string[];
}

/** Events a second at most, so that the books are never full. */
const PER_SECOND = 12_000;
/** Milliseconds of faults and of none before the next turn of both. */
const TURN_MS = 30_000;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** Starts a runtime, has it live through load and faults, stops it, and says what was wrong. */
export async function runCycle({ chance, ms, faults }: CycleOptions): Promise<Seen> {
  const capacity = Math.ceil((ms / 1000 + 60) * PER_SECOND);
  const memory = createBooks(capacity);
  const books = openBooks(memory);
  const journal = new Journal(books, capacity);
  const runtime = await createRuntime(soakConfig(), { logger: silent });
  const wrong: string[] = [];
  let quarantines = 0;
  runtime.on('dead-letter', (letter) => journal.note(letter));
  runtime.on('agent', ({ state }) => {
    if (state === 'quarantined') quarantines += 1;
  });
  runtime.on('escalation', ({ kind, threadId }) => {
    if (kind === 'pool') wrong.push(`the pool ${threadId} was exhausted`);
  });
  const threads = await ThreadWatch.over(runtime);
  const crew = new Crew(runtime, journal, memory);
  wrong.push(...(await crew.settled(30_000)).map((what) => `at the start: ${what}`));
  const load = new Load(crew, journal, chance.fork());
  const asks = new Asks(runtime.get('calm/0') as AgentRef, journal);
  const mischief = new Mischief(crew, journal, chance.fork());
  if (faults) await inTurns(ms, asks, crew, mischief);
  else await pause(ms);
  if (faults) await mischief.complete(() => missingIn(books, mischief, crew));

  await mischief.idle();
  wrong.push(...(await withLoad(crew)));
  await Promise.all([load.end(), asks.end()]);
  wrong.push(...(await crew.calmed()));
  await crew.idle();
  const end = await stopAll(runtime, crew);
  threads.end();
  const account = accountOf(books, journal);
  const wills = crew.judgeWills();
  wrong.push(...end.wrong, ...asks.wrong, ...mischief.wrong, ...journal.wrong, ...threads.wrong);
  wrong.push(...account.wrong, ...wills.wrong, ...doublesIn(books));
  if (journal.open > 0) wrong.push(`${journal.open} asks and deliveries have not settled`);
  return {
    account,
    fired: Object.fromEntries(FAULTS.map((kind) => [kind, books.firings(kind)])) as Record<FaultKind, number>,
    ordered: mischief.ordered,
    moved: mischief.moved,
    lettersByReason: journal.lettersByReason,
    outcomes: Object.fromEntries(journal.outcomes),
    endedThreads: endsOf(end.status),
    startedThreads: end.status.pools.reduce((sum, { startedThreads }) => sum + startedThreads, 0),
    restarts: end.status.restarts,
    quarantines,
    spawned: crew.spawned,
    stopped: crew.stopped,
    resumed: crew.resumed,
    states: wills.lives,
    peaks: threads.peaks,
    looks: threads.looks,
    answered: asks.answered,
    p99: { before: p99(asks.all.before), during: p99(asks.all.during), ratios: asks.ratios },
    drainMs: end.drainMs,
    stopMs: end.stopMs,
    wrong,
  };
}

/** By turns without and with faults, so that what else the machine does is in both. */
async function inTurns(ms: number, asks: Asks, crew: Crew, mischief: Mischief): Promise<void> {
  const turns = Math.max(1, Math.round(ms / TURN_MS));
  for (let i = 0; i < turns; i++) {
    await crew.settled(5000);
    asks.window = 'before';
    await pause(ms / turns / 3);
    asks.window = 'during';
    await mischief.run((ms / turns) * (2 / 3));
    asks.window = 'between';
    asks.cycle();
  }
}

/** What has not been seen yet. */
function missingIn(books: Books, { ordered }: Mischief, { runtime, resumed }: Crew): (FaultKind | Order)[] {
  const outOfMemory = runtime.status().pools.some(({ endedThreads }) => (endedThreads.oom ?? 0) > 0);
  return [
    ...FAULTS.filter((kind) => books.firings(kind) === 0 || (kind === 'fill' && !outOfMemory)),
    ...ORDERS.filter((order) => (order === 'resume' ? resumed : ordered[order]) === 0),
  ];
}

/** Under load nobody's mailbox need be empty: it is enough that all are there, once. */
async function withLoad({ runtime }: Crew): Promise<string[]> {
  const { instances } = runtime.status();
  const addresses = new Set(instances.map(({ address }) => address));
  return addresses.size === instances.length ? [] : ['an address is there twice'];
}

async function stopAll(runtime: Runtime, crew: Crew) {
  const wrong: string[] = [];
  const warnings: string[] = [];
  runtime.on('warning', ({ message }) => warnings.push(message));
  const from = performance.now();
  await runtime.drain({ timeoutMs: 20_000 });
  const drainMs = performance.now() - from;
  const { instances } = runtime.status();
  if (instances.length !== MEMBERS.length) {
    wrong.push(`${instances.length} instances are left after the drain, not ${MEMBERS.length}`);
  }
  wrong.push(...(await crew.judgeStates()));
  const at = performance.now();
  await runtime.stop();
  const stopMs = performance.now() - at;
  wrong.push(...warnings.filter((text) => text.includes('gave up')));
  const status = runtime.status();
  const alive = status.pools.flatMap(({ threads }) => threads.map(({ name }) => name));
  if (alive.length > 0) wrong.push(`threads are left: ${alive.join()}`);
  for (const { threadId, peakThreads, maxThreads, startedThreads, endedThreads } of status.pools) {
    if (peakThreads > maxThreads) wrong.push(`${threadId} had ${peakThreads} threads`);
    const ended = Object.values(endedThreads).reduce((sum, count) => sum + count, 0);
    if (ended !== startedThreads) wrong.push(`${threadId}: ${startedThreads} threads began, ${ended} ended`);
  }
  return { wrong, status, drainMs, stopMs };
}

function doublesIn({ doubles }: Books): string[] {
  return doubles === 0 ? [] : [`${doubles} turns of an incarnation whose address another one had`];
}

function endsOf({ pools }: RuntimeStatus): Record<string, number> {
  const all: Record<string, number> = {};
  for (const { endedThreads } of pools)
    for (const [cause, count] of Object.entries(endedThreads)) all[cause] = (all[cause] ?? 0) + count;
  return all;
}
