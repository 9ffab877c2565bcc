import type { FinanceEvent, FinanceSummary, SignedReport } from './agents/finance-agent.ts';
import type { SignedOrder } from './agents/orders.ts';
import type { Mark } from './agents/portfolio.ts';
import { createInbox, feed } from './feed.ts';
import type { Series } from './prices.ts';
import type { DeskRuntime } from './runtime-of-desk.ts';
import { createTally } from './tally.ts';
import type { Witness } from './witness.ts';

/** What each symbol starts with; any round sum would do. */
export const STAKE = 100_000;
const REPORT_TIMEOUT_MS = 10_000;

/** One finance agent and the symbols it keeps. */
export interface Book {
  readonly name: string;
  readonly symbols: ReadonlySet<string>;
  /** Passes a signed order on. */
  tell(order: SignedOrder): void;
  /** Values the book once all it was told is in; resolves to the signed report. */
  close(): Promise<SignedReport>;
  rotations(): Promise<number>;
}

export interface FinanceDesk {
  readonly books: readonly Book[];
  readonly bookOf: (symbol: string) => Book | undefined;
}

/** Two books, shares and indices, each in an agent of its own, told all prices of its symbols in order of time. */
export async function openBooks(
  runtime: DeskRuntime,
  series: readonly Series[],
  witness: Witness,
): Promise<FinanceDesk> {
  const isShare = ({ unit }: Series): boolean => unit === 'USD';
  const books = await Promise.all([
    openBook(runtime, 'shares', series.filter(isShare), witness),
    openBook(
      runtime,
      'indices',
      series.filter((one) => !isShare(one)),
      witness,
    ),
  ]);
  return { books, bookOf: (symbol) => books.find((book) => book.symbols.has(symbol)) };
}

async function openBook(
  runtime: DeskRuntime,
  name: string,
  series: readonly Series[],
  witness: Witness,
): Promise<Book> {
  // With a store it may be there from an earlier run, and goes on.
  const ref = await runtime.getOrSpawn('finance-agent', name, { input: { book: name, stake: STAKE } });
  witness.watch(ref);
  const inbox = createInbox(ref);
  const reported = createTally();
  ref.on('reported', () => reported.add(name));
  const before = (await ref.ask({ type: 'summary' })) as FinanceSummary;
  await feed(ref, markEvents(marksOf(series).slice(before.marks)));

  return {
    name,
    symbols: new Set(series.map(({ symbol }) => symbol)),
    tell(order) {
      inbox.push({ type: 'order', order });
    },
    async close() {
      await inbox.settled();
      const next = reported.countOf(name) + 1;
      await ref.deliver({ type: 'close' });
      await reported.until(name, next, REPORT_TIMEOUT_MS);
      const report = (await ref.ask({ type: 'report' })) as SignedReport;
      witness.note('reply', report);
      return report;
    },
    async rotations() {
      const summary = (await ref.ask({ type: 'summary' })) as FinanceSummary;
      witness.note('reply', summary);
      return summary.rotations - before.rotations;
    },
  };
}

function* markEvents(marks: readonly Mark[]): Generator<FinanceEvent> {
  for (const mark of marks) yield { type: 'mark', ...mark };
}

/** All prices of all series in order of time. */
export function marksOf(series: readonly Series[]): Mark[] {
  return series
    .flatMap(({ symbol, prices }) => prices.map(({ date, price }) => ({ symbol, date, price })))
    .toSorted((a, b) => (a.date < b.date ? -1 : a.date > b.date ? 1 : 0));
}
