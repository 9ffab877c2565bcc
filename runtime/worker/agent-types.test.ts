import { assign, enqueueActions, setup, type ActorRefFrom, type DoneActorEvent } from 'xstate';
import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  answer,
  capability,
  deferReply,
  reply,
  replyTo,
  self,
  type CapabilityInput,
  type SecretHandle,
  type ReplyToken,
  type Self,
} from './agent.ts';

type Events = { type: 'quote'; symbol: string } | { type: 'stop' };

describe('the types of the helpers', () => {
  it('know context and event where reply stands', () => {
    const machine = setup({
      types: { context: {} as { price: number }, events: {} as Events },
    }).createMachine({
      context: { price: 7 },
      entry: reply(({ context, event }) => {
        expectTypeOf(context).toEqualTypeOf<{ price: number }>();
        // XState's own type of the event in `entry`.
        expectTypeOf(event).toExtend<{ type: string }>();
        return context.price;
      }),
      on: {
        quote: {
          actions: [
            assign({ price: ({ event }) => event.symbol.length }),
            reply(({ context, event }) => {
              expectTypeOf(context).toEqualTypeOf<{ price: number }>();
              expectTypeOf(event).toEqualTypeOf<{ type: 'quote'; symbol: string }>();
              return `${event.symbol} ${context.price}`;
            }),
          ],
        },
        stop: {
          actions: reply(({ event }) => {
            expectTypeOf(event).toEqualTypeOf<{ type: 'stop' }>();
            // @ts-expect-error -- this event has no symbol
            return event.symbol as unknown;
          }),
        },
      },
    });

    expect(machine.id).toBe('(machine)');
    expectTypeOf<ActorRefFrom<typeof machine>['send']>().toBeCallableWith({ type: 'quote', symbol: 'BTC' });
  });

  it('take a value as well as a function where reply stands', () => {
    const machine = setup({ types: { events: {} as Events } }).createMachine({
      on: {
        quote: { actions: reply({ ok: true }) },
        stop: {
          actions: enqueueActions(({ enqueue }) => {
            enqueue(reply('stopped'));
            enqueue(reply(({ event }) => event.type));
          }),
        },
      },
    });

    expect(machine.id).toBe('(machine)');
  });

  it('know context and event where answer stands', () => {
    const machine = setup({
      types: {
        context: {} as { price: number; token: ReplyToken | undefined },
        events: {} as Events | { type: 'known'; price: number },
      },
    }).createMachine({
      context: { price: 7, token: undefined },
      on: {
        quote: { actions: assign({ token: ({ event }) => deferReply(event) }) },
        known: {
          actions: answer(
            ({ context }) => context.token,
            ({ context, event }) => {
              expectTypeOf(context.price).toEqualTypeOf<number>();
              expectTypeOf(event).toEqualTypeOf<{ type: 'known'; price: number }>();
              return event.price;
            },
          ),
        },
        stop: { actions: answer(({ context }) => context.token, 'stopped') },
      },
      after: {
        1000: {
          actions: answer(
            ({ context }) => context.token,
            ({ context }) => context.price,
          ),
        },
      },
    });

    expect(machine.id).toBe('(machine)');
  });

  it('may be declared in setup and used by name', () => {
    const machine = setup({
      types: { context: {} as { price: number }, events: {} as Events },
      actions: {
        answer: reply(({ context }) => {
          expectTypeOf(context).toEqualTypeOf<{ price: number }>();
          return context.price;
        }),
      },
    }).createMachine({ context: { price: 7 }, on: { quote: { actions: 'answer' } } });

    expect(machine.id).toBe('(machine)');
  });

  it('take any event in replyTo, and say what self is', () => {
    expectTypeOf(replyTo).toBeCallableWith({ type: 'anything', n: 1 }, { any: 'value' });
    // @ts-expect-error -- an event has a type
    replyTo({}, 1);
    expectTypeOf(self).returns.toEqualTypeOf<Self | undefined>();
    expectTypeOf<Self>().toHaveProperty('address').toEqualTypeOf<string>();
    expect(self()).toBeUndefined();
  });

  it('give a capability its input, and its result to onDone', () => {
    const machine = setup({
      types: { context: {} as { signature: string; order: { qty: number } } },
      actors: { sign: capability<string>('sign-order') },
    }).createMachine({
      context: { signature: '', order: { qty: 1 } },
      initial: 'signing',
      states: {
        signing: {
          invoke: {
            src: 'sign',
            input: ({ context }) => ({ label: 'orders', args: context.order }),
            onDone: {
              actions: assign({
                signature: ({ event }) => {
                  expectTypeOf(event).toExtend<DoneActorEvent<string>>();
                  expectTypeOf(event.output).toEqualTypeOf<string>();
                  return event.output;
                },
              }),
            },
          },
        },
      },
    });

    expect(machine.id).toBe('(machine)');
    expectTypeOf<CapabilityInput>().toEqualTypeOf<{
      readonly label: string | SecretHandle;
      readonly args?: unknown;
    }>();
  });

  it('refuse an input without a label', () => {
    const made = setup({ actors: { sign: capability('sign-order') } });

    // @ts-expect-error -- the label says which grant is used
    expect(made.createMachine({ invoke: { src: 'sign', input: { args: 1 } } }).id).toBe('(machine)');
  });
});
