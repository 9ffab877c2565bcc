import assert from 'node:assert/strict';
import type { ClerkEvent, Files } from '../agents/clerk.ts';
import { CLERKS, STOPPED, type Clerk } from './history.ts';

/** One event that the host sent, and what it heard of it. */
export interface Sent {
  readonly n: number;
  readonly how: 'send' | 'ask' | 'deliver' | 'enqueue' | 'later';
  readonly event: ClerkEvent;
  outcome: 'open' | 'acknowledged' | 'rejected';
  /** How many had been handled with it, as an ask was told. */
  count?: number;
}

/** What one clerk was sent and has told, from a spawn that found nothing to its stop. */
class Life {
  readonly sent = new Map<number, Sent>();
  told: Files = { seen: [], got: [], rang: [], done: [], sum: 0 };
  /** A stop was asked for: it is there or not. */
  leaving = false;
}

/** The pure model: what was acknowledged is there once, what was told stays, and nothing else happened. */
export class Books {
  readonly #lives = new Map<Clerk, Life>(CLERKS.map((clerk) => [clerk, new Life()]));
  readonly #all = new Map<number, { readonly sent: Sent; readonly to: Clerk }>();

  post(to: Clerk, sent: Sent): void {
    this.#life(to).sent.set(sent.n, sent);
    this.#all.set(sent.n, { sent, to });
  }

  /** The clerk stopped, and what comes begins anew. */
  stopped(clerk: Clerk): void {
    this.#lives.set(clerk, new Life());
  }

  /** Judges what a clerk tells of its files. */
  read(clerk: Clerk, files: Files): void {
    const life = this.#life(clerk);
    const { seen, got, rang, sum } = files;
    for (const [as, list] of Object.entries({ seen, got, rang }))
      assert.equal(new Set(list).size, list.length, `${clerk} has something twice in ${as}: ${list.join()}`);
    assert.equal(
      [...seen, ...got, ...rang].reduce((a, b) => a + b, 0),
      sum,
      `${clerk} has half a turn`,
    );
    for (const as of ['seen', 'got', 'rang'] as const)
      assert.deepEqual(
        files[as].slice(0, life.told[as].length),
        life.told[as],
        `${clerk} takes back what it has told of ${as}`,
      );
    life.told = files;
    for (const n of seen) {
      const known = life.sent.get(n);
      assert.ok(known !== undefined, `${clerk} has ${n}, which it was not sent`);
      assert.notEqual(known.event.type, 'fail', `${clerk} has ${n}, whose turn failed`);
    }
    const inOrder = seen.filter((n) => life.sent.get(n)?.how !== 'later');
    assert.deepEqual(
      inOrder,
      inOrder.toSorted((a, b) => a - b),
      `${clerk} has changed the order`,
    );
    const acknowledged = [...life.sent.values()].filter(
      ({ how, outcome, event }) =>
        outcome === 'acknowledged' && event.type !== 'fail' && (how === 'ask' || how === 'deliver'),
    );
    for (const { n, count } of acknowledged) {
      assert.ok(seen.includes(n), `${clerk} has lost ${n}, which was acknowledged`);
      if (count !== undefined) assert.equal(seen[count - 1], n, `${clerk} was told another count for ${n}`);
    }
  }

  /** Judges what is there at the end, when nothing is under way any more. */
  close(all: ReadonlyMap<Clerk, Files>): void {
    for (const [clerk, files] of all) {
      this.read(clerk, files);
      const { seen, got, rang } = files;
      const life = this.#life(clerk);
      for (const { n, outcome, event } of life.sent.values())
        if (outcome === 'acknowledged' && event.type !== 'fail')
          assert.ok(seen.includes(n), `${clerk} has lost ${n}, which was kept`);
      const armed = seen.filter((n) => life.sent.get(n)?.event.type === 'arm');
      assert.deepEqual(
        rang.toSorted((a, b) => a - b),
        armed.toSorted((a, b) => a - b),
        `the timers of ${clerk}`,
      );
      const senders = new Map<Clerk, number[]>();
      for (const n of got) {
        const passed = this.#all.get(n);
        assert.ok(passed !== undefined && passed.sent.event.type === 'pass', `${clerk} got ${n} from nobody`);
        if (passed.to !== STOPPED)
          assert.ok(all.get(passed.to)?.seen.includes(n), `${clerk} got ${n} of a turn that never was`);
        senders.set(passed.to, [...(senders.get(passed.to) ?? []), n]);
      }
      for (const [from, list] of senders) {
        const order = all.get(from)?.seen.filter((n) => list.includes(n)) ?? [];
        if (from !== STOPPED) assert.deepEqual(list, order, `${clerk} got in another order from ${from}`);
      }
      for (const n of seen) {
        const event = life.sent.get(n)?.event;
        const to = event?.type === 'pass' ? (event.to.at(-1) as Clerk) : undefined;
        if (to !== undefined && to !== STOPPED)
          assert.ok(all.get(to)?.got.includes(n), `${to} has lost ${n}, which ${clerk} passed on`);
      }
    }
  }

  #life(clerk: Clerk): Life {
    return this.#lives.get(clerk) as Life;
  }
}
