import { capability, reply } from 'holdfast/agent';
import { assign, emit, setup } from 'xstate';
import type { SignedOrder } from './orders.ts';
import { type Mark, type Valuation, valuePortfolio } from './portfolio.ts';

export interface FinanceInput {
  readonly book: string;
  /** Cash each symbol of the book starts with. */
  readonly stake: number;
}

export interface Report extends Valuation {
  readonly book: string;
}

/** A report with the HMAC-SHA256 (hex) the host put under it. */
export interface SignedReport extends Report {
  readonly signature: string;
  readonly keyVersion: string;
}

interface FinanceContext extends FinanceInput {
  readonly marks: readonly Mark[];
  /** Per symbol, the orders of its newest pass: every pass replays the same prices. */
  readonly orders: Readonly<Record<string, readonly SignedOrder[]>>;
  readonly rotations: number;
  readonly refused: number;
  readonly draft: Report | null;
  readonly report: SignedReport | null;
}

export type FinanceEvent =
  | ({ type: 'mark' } & Mark)
  | { type: 'order'; order: SignedOrder }
  | { type: 'close' }
  | { type: 'report' }
  | { type: 'summary' }
  | { type: 'secret.rotated'; label: string };

export type FinanceEmitted = { type: 'reported'; report: SignedReport };

/** The answer to `{ type: 'summary' }`. */
export interface FinanceSummary {
  readonly book: string;
  /** How many prices the book was told. */
  readonly marks: number;
  readonly rotations: number;
  readonly refused: number;
}

function withOrder(orders: FinanceContext['orders'], order: SignedOrder): FinanceContext['orders'] {
  const known = orders[order.symbol] ?? [];
  const pass = known[0]?.pass ?? 0;
  if (order.pass < pass) return orders;
  return { ...orders, [order.symbol]: order.pass > pass ? [order] : [...known, order] };
}

/**
 * Keeps one book: prices and signed orders in; when told to `close`, values it and has the report signed by
 * the host. `{ type: 'report' }` is answered with the newest signed report, or null before the first.
 */
export default setup({
  types: {
    input: {} as FinanceInput,
    context: {} as FinanceContext,
    events: {} as FinanceEvent,
    emitted: {} as FinanceEmitted,
  },
  actors: {
    signReport: capability<SignedReport>('sign-report'),
  },
  actions: {
    noteMark: assign(({ context, event }) => {
      if (event.type !== 'mark') return {};
      const { symbol, date, price } = event;
      return { marks: [...context.marks, { symbol, date, price }] };
    }),
    noteOrder: assign(({ context, event }) =>
      event.type === 'order' ? { orders: withOrder(context.orders, event.order) } : {},
    ),
    draftReport: assign(({ context }) => {
      const valuation = valuePortfolio(context.marks, Object.values(context.orders).flat(), context.stake);
      return { draft: { book: context.book, ...valuation } };
    }),
    noteRefused: assign(({ context }) => ({ refused: context.refused + 1 })),
    noteRotation: assign(({ context }) => ({ rotations: context.rotations + 1 })),
  },
  delays: { beforeAskingAgain: 250 },
}).createMachine({
  id: 'finance-agent',
  context: ({ input }) => ({
    ...input,
    marks: [],
    orders: {},
    rotations: 0,
    refused: 0,
    draft: null,
    report: null,
  }),
  on: {
    mark: { actions: 'noteMark' },
    order: { actions: 'noteOrder' },
    report: { actions: reply(({ context }) => context.report) },
    summary: {
      actions: reply(({ context: { book, marks, rotations, refused } }): FinanceSummary => ({
        book,
        marks: marks.length,
        rotations,
        refused,
      })),
    },
    'secret.rotated': { actions: 'noteRotation' },
  },
  initial: 'open',
  states: {
    open: { on: { close: 'signing' } },
    signing: {
      entry: 'draftReport',
      initial: 'asking',
      states: {
        asking: {
          invoke: {
            id: 'signature',
            src: 'signReport',
            input: ({ context }) => ({ label: 'desk-key', args: context.draft }),
            onDone: {
              target: '#finance-agent.open',
              actions: [
                assign(({ event }) => ({ report: event.output, draft: null })),
                emit(({ event }) => ({ type: 'reported' as const, report: event.output })),
              ],
            },
            onError: { target: 'refused', actions: 'noteRefused' },
          },
        },
        refused: { after: { beforeAskingAgain: 'asking' } },
      },
    },
  },
});
