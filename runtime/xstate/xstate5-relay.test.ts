import fc from 'fast-check';
import {
  assign,
  createActor,
  fromTransition,
  sendTo,
  setup,
  type AnyActorLogic,
  type AnyEventObject,
} from 'xstate';
import { describe, expect, it } from 'vitest';
import { host, started } from './fixtures/hosting.ts';
import type { HostedActor } from './xstate5.ts';

/** Handles an event and then what it carries: events that the actor sends to itself. */
interface Tree extends AnyEventObject {
  readonly n: number;
  readonly own: readonly Tree[];
}

const reducer = (seen: number[]): AnyActorLogic =>
  fromTransition((state, event: AnyEventObject, { self }) => {
    const { n, own } = event as Tree;
    seen.push(n);
    for (const next of own) self.send(next);
    return state;
  }, 0);

const machine = (seen: number[]): AnyActorLogic =>
  setup({}).createMachine({
    on: {
      go: {
        actions: ({ event, self }) => {
          const { n, own } = event as Tree;
          seen.push(n);
          for (const next of own) self.send(next);
        },
      },
    },
  });

/** Numbers a tree in the order in which its nodes are made. */
function treeOf(shape: readonly number[]): Tree {
  type Growing = { type: string; n: number; own: Growing[] };
  const root: Growing = { type: 'go', n: 0, own: [] };
  const all = [root];
  for (const parent of shape) {
    const node: Growing = { type: 'go', n: all.length, own: [] };
    (all[parent % all.length] as Growing).own.push(node);
    all.push(node);
  }
  return root;
}

function resumed(actor: HostedActor, max = 16): void {
  for (let round = 0; round < 5000 && actor.pending > 0; round++) actor.resume(max);
}

describe.each([
  ['a reducer', reducer],
  ['a machine', machine],
])('what an actor sends to itself: %s', (_what, logic) => {
  it('comes in the order in which XState alone would bring it, a thousand events long', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 2000 }), { minLength: 1, maxLength: 1000, size: 'max' }),
        fc.integer({ min: 1, max: 40 }),
        (shape, max) => {
          const [plain, hosted]: [number[], number[]] = [[], []];
          const alone = createActor(logic(plain)).start();
          const { actor } = started(logic(hosted));

          alone.send(treeOf(shape));
          actor.deliver(treeOf(shape));
          resumed(actor, max);

          expect(hosted).toEqual(plain);
          expect(hosted).toHaveLength(shape.length + 1);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is sixteen events a turn; the rest waits to be resumed', () => {
    const seen: number[] = [];
    const { actor } = started(logic(seen));

    actor.deliver(treeOf(Array.from({ length: 40 }, () => 0)));

    expect([seen.length, actor.pending]).toEqual([17, 24]);
    expect(actor.resume(5)).toBe(5);
    expect([seen.length, actor.pending]).toEqual([22, 19]);
    expect(actor.resume(100)).toBe(19);
    expect([seen.length, actor.pending]).toEqual([41, 0]);
  });
});

describe('an actor that sends to itself for ever', () => {
  const endless = (seen: unknown[]): AnyActorLogic =>
    fromTransition((state, event: AnyEventObject, { self }) => {
      seen.push(event.type);
      if (event.type === 'own') self.send(event);
      return state;
    }, 0);

  it('gives each turn back, tells once that it has more to do, and is resumed for as long as it is wanted', () => {
    const seen: unknown[] = [];
    let pending = 0;
    const { actor } = started(endless(seen), { onPending: () => (pending += 1) });

    actor.deliver({ type: 'own' });
    expect(seen).toHaveLength(17);
    expect([actor.pending, pending]).toEqual([1, 1]);

    for (let round = 1; round <= 10; round++) {
      expect(actor.resume(16)).toBe(16);
      expect([actor.pending, pending]).toEqual([1, 1]);
    }
    expect(seen).toHaveLength(17 + 160);
  });

  it('takes events from outside between them', () => {
    const seen: unknown[] = [];
    const { actor } = started(endless(seen));
    actor.deliver({ type: 'own' });

    actor.deliver({ type: 'outside' });

    expect(seen.at(-1)).toBe('outside');
    expect(actor.pending).toBe(1);
  });

  it('from its very start gives the start back', () => {
    let turns = 0;
    const selfish = setup({}).createMachine({
      entry: ({ self }) => self.send({ type: 'own' }),
      on: {
        own: {
          actions: ({ self }) => {
            turns += 1;
            self.send({ type: 'own' });
          },
        },
      },
    });
    let pending = 0;
    const { actor } = host(selfish, { onPending: () => (pending += 1) });

    actor.start();

    expect(turns).toBeLessThan(40);
    expect(actor.pending).toBe(1);
    expect(pending).toBeGreaterThan(0);
  });
});

describe('two children that send to each other for ever', () => {
  const player = (hits: { n: number }) =>
    setup({}).createMachine({
      on: {
        ball: {
          actions: [
            () => {
              hits.n += 1;
            },
            sendTo(
              ({ system, event }) => system.get(event['to'] as string),
              ({ self }) => ({ type: 'ball', to: (self as { systemId?: string }).systemId }),
            ),
          ],
        },
      },
    });

  function table(hits: { n: number }, options: Parameters<typeof started>[1] = {}) {
    const parent = setup({ actors: { player: player(hits) } }).createMachine({
      context: { n: 0 },
      invoke: [
        { id: 'ping', systemId: 'ping', src: 'player' },
        { id: 'pong', systemId: 'pong', src: 'player' },
      ],
      on: {
        serve: { actions: sendTo('ping', { type: 'ball', to: 'pong' }) },
        count: { actions: assign({ n: ({ context }) => (context as { n: number }).n + 1 }) },
      },
    });
    return started(parent, options);
  }

  it('give their turn back after a thousand events, and go on when they are resumed', () => {
    const hits = { n: 0 };
    let pending = 0;
    const { actor } = table(hits, { onPending: () => (pending += 1) });

    actor.deliver({ type: 'serve' });

    expect(hits.n).toBeGreaterThan(900);
    expect(hits.n).toBeLessThanOrEqual(1001);
    expect([actor.pending, pending]).toEqual([1, 1]);
    const before = hits.n;
    actor.resume(1);
    expect(hits.n).toBeGreaterThan(before);
    expect(hits.n - before).toBeLessThanOrEqual(1001);
    expect(actor.pending).toBe(1);
  });

  it('keep nothing from their parent', () => {
    const hits = { n: 0 };
    const { actor } = table(hits);
    actor.deliver({ type: 'serve' });

    for (let n = 0; n < 3; n++) actor.deliver({ type: 'count' });

    expect(actor.ref.getSnapshot()).toMatchObject({ context: { n: 3 } });
  });
});

describe('events between the actors of one system', () => {
  it('come in the order in which each sent them to another, however many wait', () => {
    const seen: [from: string, to: string, n: number][] = [];
    let sent = 0;
    const numbers = new Map<string, number>();
    const names = ['root', 'a', 'b'];
    const act = ({
      event,
      self,
      system,
    }: {
      event: AnyEventObject;
      self: { id: string };
      system: unknown;
    }): void => {
      const { from, n, left } = event as AnyEventObject & { from: string; n: number; left: number[] };
      const me = self.id === 'one' ? 'root' : self.id;
      seen.push([from, me, n]);
      const [count = 0, ...rest] = left;
      for (let i = 0; i < count && sent < 3000; i++) {
        const to = names[(sent + i * 7 + n) % 3] as string;
        const key = `${me}>${to}`;
        const number = (numbers.get(key) ?? 0) + 1;
        numbers.set(key, number);
        sent += 1;
        const ref = (system as { get(id: string): { send(event: AnyEventObject): void } }).get(to);
        const target = to === 'root' ? (root as { send(event: AnyEventObject): void }) : ref;
        target.send({ type: 'go', from: me, n: number, left: rest });
      }
    };
    const child = setup({}).createMachine({ on: { go: { actions: act as never } } });
    const parent = setup({ actors: { child } }).createMachine({
      invoke: [
        { id: 'a', systemId: 'a', src: 'child' },
        { id: 'b', systemId: 'b', src: 'child' },
      ],
      on: { go: { actions: act as never } },
    });
    const { actor } = started(parent);
    const root: unknown = actor.ref;

    actor.deliver({ type: 'go', from: 'outside', n: 1, left: [6, 5, 4, 3, 3, 3] });
    resumed(actor);

    expect(sent).toBe(6 + 30 + 120 + 360 + 1080 + 1404);
    for (const from of names) {
      for (const to of names) {
        const order = seen.flatMap(([f, t, n]) => (f === from && t === to ? [n] : []));
        expect(order).toEqual(Array.from({ length: order.length }, (_, i) => i + 1));
        expect(order.length).toBe(numbers.get(`${from}>${to}`) ?? 0);
      }
    }
  });
});
