import { capability, reply } from 'holdfast/agent';
import { assign, emit, setup } from 'xstate';
import { movingAverage, withPrice } from './moving-average.ts';
import type { Order, SignedOrder } from './orders.ts';

export interface TradingInput {
  readonly symbol: string;
  /** Lengths of the two moving averages, in prices; `fast < slow`. */
  readonly fast: number;
  readonly slow: number;
}

interface TradingContext extends TradingInput {
  readonly pass: number;
  readonly date: string;
  /** The newest `slow` prices. */
  readonly prices: readonly number[];
  readonly ticks: number;
  readonly decided: number;
  readonly signed: number;
  readonly refused: number;
  readonly rotations: number;
  /** Decided, waiting for a signature, oldest first. */
  readonly unsigned: readonly Order[];
}

export type TradingEvent =
  | { type: 'open'; pass: number }
  | { type: 'tick'; date: string; price: number }
  | { type: 'summary' }
  | { type: 'secret.rotated'; label: string };

export type TradingEmitted =
  /** `nth`: how many orders of this trader are signed with it. */
  ({ type: 'order'; nth: number } & SignedOrder) | { type: 'order-waits'; symbol: string; unsigned: number };

/** The answer to `{ type: 'summary' }`. */
export interface TradingSummary {
  readonly symbol: string;
  readonly passes: number;
  readonly ticks: number;
  readonly decided: number;
  readonly signed: number;
  readonly refused: number;
  readonly rotations: number;
}

const newest = (context: TradingContext): number => context.prices.at(-1) ?? 0;
const isAbove = (context: TradingContext): boolean =>
  movingAverage(context.prices, context.fast) > movingAverage(context.prices, context.slow);

/**
 * A moving-average cross for one symbol. `position` decides, `desk` gets each decision signed, one at a
 * time and in order; the two run side by side, so prices never wait for a signature.
 */
export default setup({
  types: {
    input: {} as TradingInput,
    context: {} as TradingContext,
    events: {} as TradingEvent,
    emitted: {} as TradingEmitted,
  },
  actors: {
    signOrder: capability<SignedOrder>('sign-order'),
  },
  guards: {
    averagesAreFull: ({ context }) => context.prices.length === context.slow,
    fastIsAbove: ({ context }) => isAbove(context),
    fastIsBelow: ({ context }) => !isAbove(context),
    somethingToSign: ({ context }) => context.unsigned.length > 0,
  },
  actions: {
    startPass: assign(({ event }) => (event.type === 'open' ? { pass: event.pass, prices: [] } : {})),
    notePrice: assign(({ context, event }) =>
      event.type === 'tick'
        ? {
            date: event.date,
            prices: withPrice(context.prices, event.price, context.slow),
            ticks: context.ticks + 1,
          }
        : {},
    ),
    decide: assign(({ context }, side: Order['side']) => {
      const { symbol, date, pass, unsigned } = context;
      const order: Order = { symbol, side, price: newest(context), date, pass };
      return { unsigned: [...unsigned, order], decided: context.decided + 1 };
    }),
    noteSigned: assign(({ context }) => ({
      unsigned: context.unsigned.slice(1),
      signed: context.signed + 1,
    })),
    noteRefused: assign(({ context }) => ({ refused: context.refused + 1 })),
    noteRotation: assign(({ context }) => ({ rotations: context.rotations + 1 })),
    sayOrderWaits: emit(({ context }) => ({
      type: 'order-waits' as const,
      symbol: context.symbol,
      unsigned: context.unsigned.length,
    })),
  },
  delays: { beforeAskingAgain: 250 },
}).createMachine({
  id: 'trading-agent',
  context: ({ input }) => ({
    ...input,
    pass: 0,
    date: '',
    prices: [],
    ticks: 0,
    decided: 0,
    signed: 0,
    refused: 0,
    rotations: 0,
    unsigned: [],
  }),
  on: {
    summary: {
      actions: reply(({ context }): TradingSummary => {
        const { symbol, pass, ticks, decided, signed, refused, rotations } = context;
        return { symbol, passes: pass, ticks, decided, signed, refused, rotations };
      }),
    },
    // Nothing to switch over: a signature resolves the key when it is made.
    'secret.rotated': { actions: 'noteRotation' },
  },
  type: 'parallel',
  states: {
    position: {
      initial: 'warmingUp',
      on: {
        open: { target: '.warmingUp', actions: 'startPass' },
        tick: { actions: 'notePrice' },
      },
      states: {
        warmingUp: { always: { guard: 'averagesAreFull', target: 'flat' } },
        flat: {
          always: {
            guard: 'fastIsAbove',
            target: 'long',
            actions: { type: 'decide', params: 'buy' },
          },
        },
        long: {
          always: {
            guard: 'fastIsBelow',
            target: 'flat',
            actions: { type: 'decide', params: 'sell' },
          },
        },
      },
    },
    desk: {
      initial: 'idle',
      states: {
        idle: { always: { guard: 'somethingToSign', target: 'signing' } },
        signing: {
          invoke: {
            id: 'signature',
            src: 'signOrder',
            input: ({ context }) => ({ label: 'desk-key', args: context.unsigned[0] }),
            onDone: {
              target: 'idle',
              actions: [
                emit(({ context, event }) => ({
                  type: 'order' as const,
                  nth: context.signed + 1,
                  ...event.output,
                })),
                'noteSigned',
              ],
            },
            onError: { target: 'refused', actions: 'noteRefused' },
          },
        },
        // The order is kept: without a key the desk stops trading, it does not forget.
        refused: {
          entry: 'sayOrderWaits',
          after: { beforeAskingAgain: 'signing' },
        },
      },
    },
  },
});
