// npm run soak:addresses -- --addresses 1000000 [--resident 10000] [--seed n]
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { createRuntime, sqliteStore, type DurableStore, type PoolStatus, type Runtime } from 'holdfast';
import { decodeState } from '../../runtime/wire/encoded-state.ts';
import { ON_A_BUSY_MACHINE } from '../busy-machine.ts';
import type { Told } from './agents/teller.ts';
import { chanceOf, type Chance } from './chance.ts';
import { isSame, NOTHING, withNumber, type Digest } from './digest.ts';
import { soakCommand } from './soak-command.ts';

/** How often each address is told something. */
const TIMES = 2;
const IN_FLIGHT = 64;
/** The machine may be busy, and nobody is to be given up for that. */
const PATIENT = { timeoutMs: 60_000 };
/** Addresses that are asked at the end, beside what the store has of all. */
const ASKED = 10_000;
const PAGE = 1000;
/** Milliseconds between two looks at who is in memory. */
const LOOK_MS = 1000;
/** So many figures of memory are printed. */
const FIGURES = 20;
/** How much more memory there may be at the end than in the middle, when the pool has long been full. */
const GROWTH = 1.3;
/** Megabytes that are no growth: what a collection leaves, now more and now less. */
const SLACK_MB = 24;

const MB = 2 ** 20;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** Who is in memory, and the bytes of the heaps of the threads. */
type Look = NonNullable<PoolStatus['residents']> & { readonly heaps: number };

interface Size {
  readonly addresses: number;
  readonly resident: number;
}

process.exit(
  await soakCommand({
    script: 'soak:addresses',
    what: 'of many addresses',
    amounts: { addresses: 1_000_000, resident: 10_000 },
    soaked: (folder, size, seed) => soaked(join(folder, 'agents.db'), size, chanceOf(seed)),
  }),
);

async function soaked(path: string, size: Size, chance: Chance): Promise<string[]> {
  const store = sqliteStore({ path });
  const runtime = await start(store, size);
  const wrong: string[] = [];
  const heaps: number[] = [];
  let most = 0;
  const look = (): Look => {
    const { residents, threads } = runtime.status().pools[0] as PoolStatus;
    const counts = residents as NonNullable<typeof residents>;
    most = Math.max(most, counts.resident);
    return { ...counts, heaps: threads.reduce((sum, { heapUsed = 0 }) => sum + heapUsed, 0) };
  };
  const looking = setInterval(look, LOOK_MS);
  const order = shuffled(size.addresses * TIMES, chance);
  const began = performance.now();
  const figure = Math.max(1, Math.floor(order.length / FIGURES));
  await inLanes(order.length, async (i) => {
    const n = order[i] as number;
    const ref = await runtime.getOrSpawn('teller', idOf(n, size));
    const answer: unknown = await ref.ask({ type: 'note', n }, PATIENT);
    if (answer !== n) wrong.push(`${String(answer)} came for ${n}`);
    if ((i + 1) % figure !== 0) return;
    heaps.push(tell(path, look(), ((i + 1) / (performance.now() - began)) * 1000, i + 1));
  });
  clearInterval(looking);
  const { passivations, over } = look();
  // Whoever comes is counted before it has its seat, and waits until another has left.
  if (most > size.resident + IN_FLIGHT) wrong.push(`${most} were in memory`);
  if (over > 0) wrong.push(`the bound was passed ${over} times`);
  if (size.addresses > size.resident && passivations < size.addresses - size.resident)
    wrong.push(`no more than ${passivations} have left memory`);
  wrong.push(...grown(heaps), ...(await askedAtEnd(runtime, size, chance)));
  wrong.push(...(await countedInStore(store, size)));
  await runtime.stop();
  console.log(`${most} in memory at most, ${passivations} have left it; all states compared`);
  return wrong;
}

function start(store: DurableStore, { resident }: Size): Promise<Runtime> {
  const teller = {
    type: 'thread-bound',
    threadId: 'tell',
    maxThreads: 2,
    module: new URL('./agents/teller.ts', import.meta.url),
  } as const;
  const tell = { ...ON_A_BUSY_MACHINE, maxResident: resident };
  return createRuntime({ agents: { teller }, threads: { tell } }, { logger: silent, store });
}

/** Prints what there is by now; returns the heap in MB. */
function tell(path: string, { resident, passive, heaps }: Look, perSecond: number, told: number): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  const mb = (bytes: number): string => `${Math.round(bytes / MB)} MB`;
  console.log(
    `  ${told} told, ${Math.round(perSecond)}/s; ${resident} in memory, ${passive} passive; heap of the host ${mb(heapUsed)}, of the threads ${mb(heaps)}, process ${mb(rss)}, file ${mb(statSync(path).size)}`,
  );
  return heapUsed / MB;
}

function grown(heaps: readonly number[]): string[] {
  const [middle, last] = [heaps[Math.floor(heaps.length / 2)], heaps.at(-1)];
  if (middle === undefined || last === undefined || last <= middle * GROWTH + SLACK_MB) return [];
  return [`the heap grew from ${Math.round(middle)} to ${Math.round(last)} MB`];
}

/** Some of them are asked, wherever they are. */
async function askedAtEnd(runtime: Runtime, size: Size, chance: Chance): Promise<string[]> {
  const wrong: string[] = [];
  await inLanes(Math.min(ASKED, size.addresses), async () => {
    const of = chance.below(size.addresses);
    const ref = await runtime.getOrSpawn('teller', String(of));
    const { seen } = (await ref.ask({ type: 'read' }, PATIENT)) as Told;
    if (!isSame(seen, due(of, size))) wrong.push(`teller/${of} says ${JSON.stringify(seen)}`);
  });
  return wrong;
}

/** All of them, as the next process would find them. */
async function countedInStore(store: DurableStore, size: Size): Promise<string[]> {
  const wrong: string[] = [];
  let count = 0;
  for (let after: string | undefined, isLast = false; !isLast;) {
    const records = await store.records(after, PAGE);
    isLast = records.length < PAGE;
    after = records.at(-1)?.address;
    count += records.length;
    for (const { address, state } of records) {
      const { seen } = (decodeState(state).snapshot as { context: Told }).context;
      if (!isSame(seen, due(Number(address.slice('teller/'.length)), size)))
        wrong.push(`the store has ${JSON.stringify(seen)} of ${address}`);
    }
  }
  if (count !== size.addresses) wrong.push(`the store has ${count} records`);
  return wrong;
}

/** Numbers that differ by the number of addresses go to the same one. */
function idOf(n: number, { addresses }: Size): string {
  return String(n % addresses);
}

function due(of: number, { addresses }: Size): Digest {
  let digest = NOTHING;
  for (let time = 0; time < TIMES; time++) digest = withNumber(digest, of + time * addresses);
  return digest;
}

/** The numbers from 0 to below `length`, in any order. */
function shuffled(length: number, { below }: Chance): Uint32Array {
  const all = Uint32Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = below(i + 1);
    [all[i], all[j]] = [all[j] as number, all[i] as number];
  }
  return all;
}

async function inLanes(count: number, run: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await run(next++);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}
