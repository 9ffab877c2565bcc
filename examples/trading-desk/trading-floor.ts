import type { SignedOrder } from './agents/orders.ts';
import type { TradingEvent, TradingSummary } from './agents/trading-agent.ts';
import { feed } from './feed.ts';
import type { Series } from './prices.ts';
import type { RunState } from './run-state.ts';
import type { DeskRuntime } from './runtime-of-desk.ts';
import { createTally } from './tally.ts';
import type { Witness } from './witness.ts';

/** A trader with more unsigned orders than this waits for the host before its next pass. */
const UNSIGNED_LIMIT = 100;
const SIGNING_TIMEOUT_MS = 15_000;

export interface FloorOptions {
  readonly runtime: DeskRuntime;
  readonly witness: Witness;
  readonly state: RunState;
  readonly onOrder: (order: SignedOrder) => void;
  /** Asked after each pass: whether this trader may stop. */
  readonly mayClose: (summary: TradingSummary) => boolean;
}

/**
 * One trading agent for each series. A trader replays its series, pass after pass, until it may close; it then
 * waits for the last signatures.
 */
export async function openFloor(
  series: readonly Series[],
  options: FloorOptions,
): Promise<{ trade(): Promise<TradingSummary[]> }> {
  const traders = await Promise.all(series.map(async (one) => await openTrader(one, options)));
  return {
    async trade() {
      return await Promise.all(traders.map(async (trade) => await trade()));
    },
  };
}

async function openTrader(
  series: Series,
  { runtime, witness, state, onOrder, mayClose }: FloorOptions,
): Promise<() => Promise<TradingSummary>> {
  const { symbol, fast, slow } = series;
  // With a store it may be there from an earlier run, and goes on.
  const ref = await runtime.getOrSpawn('trading-agent', symbol, { input: { symbol, fast, slow } });
  witness.watch(ref);
  const signed = createTally();
  ref.on('order', ({ nth, side, price, date, pass, signature, keyVersion }) => {
    onOrder({ symbol, side, price, date, pass, signature, keyVersion });
    signed.reach(symbol, nth);
  });

  const before = (await ref.ask({ type: 'summary' })) as TradingSummary;
  // Those of before are heard by nobody here.
  signed.reach(symbol, before.signed);

  return async () => {
    let rotations = 0;
    for (let pass = before.passes + 1; ; pass += 1) {
      await feed(ref, passOf(series, pass), (handled) => {
        state.ticks += handled;
      });
      const told = (await ref.ask({ type: 'summary' })) as TradingSummary;
      const summary = { ...told, rotations: told.rotations - before.rotations };
      witness.note('reply', summary);
      if (summary.rotations > rotations) state.rotationSeenBy += 1;
      rotations = summary.rotations;
      const closes = mayClose(summary);
      const due = summary.decided - (closes ? 0 : UNSIGNED_LIMIT);
      await signed.until(symbol, due, SIGNING_TIMEOUT_MS);
      if (closes) return summary;
    }
  };
}

function* passOf({ prices }: Series, pass: number): Generator<TradingEvent> {
  yield { type: 'open', pass };
  for (const { date, price } of prices) yield { type: 'tick', date, price };
}
