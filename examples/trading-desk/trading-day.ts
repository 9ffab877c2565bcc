import { setTimeout as sleep } from 'node:timers/promises';
import type { SignedReport } from './agents/finance-agent.ts';
import type { SignedOrder } from './agents/orders.ts';
import type { TradingSummary } from './agents/trading-agent.ts';
import { openBooks } from './finance-desk.ts';
import type { Series } from './prices.ts';
import { type RunState, shortVersion } from './run-state.ts';
import type { DeskRuntime } from './runtime-of-desk.ts';
import { type ScanResult, scanDesk } from './security-desk.ts';
import type { SigningKey } from './signing-key.ts';
import { openFloor } from './trading-floor.ts';
import type { Witness } from './witness.ts';

/** When the key rotates, as a part of the trading time: early enough to see both versions at work. */
const ROTATE_AT = 0.4;
/** How much longer than asked the desk trades when the rotation is late, in milliseconds. */
const GRACE_MS = 15_000;

export interface TradingDayOptions {
  readonly runtime: DeskRuntime;
  readonly key: SigningKey;
  readonly series: readonly Series[];
  /** The folder the security agents read. */
  readonly folder: string;
  readonly seconds: number;
  readonly witness: Witness;
  readonly state: RunState;
  readonly say: (line: string) => void;
}

export interface TradingDay {
  readonly orders: readonly SignedOrder[];
  /** Of each book, one before the rotation and one at the end. */
  readonly reports: readonly SignedReport[];
  /** The last report of each book. */
  readonly closing: readonly SignedReport[];
  readonly scan: ScanResult;
  /** The version the key was rotated to, if it was. */
  readonly rotatedTo: string | undefined;
  /** How many instances were told of the rotation. */
  readonly rotationSeenBy: { readonly traders: number; readonly books: number };
  readonly busyMs: { readonly trading: number; readonly finance: number };
}

/** The three agents at work: all series traded, the folder scanned, the key rotated meanwhile, the books closed. */
export async function tradingDay(options: TradingDayOptions): Promise<TradingDay> {
  const { runtime, key, series, witness, state, say } = options;
  const orders: SignedOrder[] = [];
  const signedWith = new Map<string, Set<string>>();
  let rotatedTo: string | undefined;
  let rotationIsOver = false;

  const scanning = scanDesk(runtime, options.folder, witness, state);
  // Awaited at the end; a failure before must not go unhandled meanwhile.
  scanning.catch(() => {});
  const financeStarted = performance.now();
  const finance = await openBooks(runtime, series, witness);
  const floor = await openFloor(series, { runtime, witness, state, onOrder, mayClose });
  state.instances = series.length;
  say(`${series.length} traders, ${finance.books.length} books and the file scan are open`);

  const started = performance.now();
  const endsAt = started + options.seconds * 1000;
  state.trading = { from: started, to: endsAt };
  const rotating = rotateLater();
  rotating.catch(() => {});
  const summaries = await floor.trade();
  const tradingMs = performance.now() - started;
  const early = await rotating;
  const closing = await Promise.all(finance.books.map(async (book) => await book.close()));
  const financeMs = performance.now() - financeStarted;
  const bookRotations = await Promise.all(finance.books.map(async (book) => await book.rotations()));
  return {
    orders,
    reports: [...early, ...closing],
    closing,
    scan: await scanning,
    rotatedTo,
    rotationSeenBy: {
      traders: summaries.filter(({ rotations }) => rotations > 0).length,
      books: bookRotations.filter((rotations) => rotations > 0).length,
    },
    busyMs: { trading: tradingMs, finance: financeMs },
  };

  function onOrder(order: SignedOrder): void {
    orders.push(order);
    state.orders += 1;
    const versions = signedWith.get(order.symbol) ?? new Set();
    signedWith.set(order.symbol, versions.add(order.keyVersion));
    finance.bookOf(order.symbol)?.tell(order);
  }

  async function rotateLater(): Promise<SignedReport[]> {
    await sleep(options.seconds * 1000 * ROTATE_AT);
    const reports = await Promise.all(finance.books.map(async (book) => await book.close()));
    rotatedTo = await key.rotate();
    rotationIsOver = true;
    const after = ((performance.now() - started) / 1000).toFixed(1);
    if (rotatedTo === undefined) say(`the key is not this example's to rotate: ${key.id} stays as it is`);
    else {
      state.keyVersions.push(shortVersion(rotatedTo));
      say(`the key rotated in the service after ${after} s; nobody told the agents`);
    }
    return reports;
  }

  /** A trader goes home when time is up and it has used the new key, if there is one. */
  function mayClose({ symbol, rotations }: TradingSummary): boolean {
    const now = performance.now();
    if (now < endsAt) return false;
    if (now > endsAt + GRACE_MS) return true;
    if (rotatedTo === undefined) return rotationIsOver;
    return rotations > 0 && signedWith.get(symbol)?.has(rotatedTo) === true;
  }
}
