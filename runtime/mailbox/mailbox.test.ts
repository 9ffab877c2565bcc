import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runAt, runCount } from './batch.ts';
import { envelopesOf } from './fixtures/envelopes.ts';
import { mailboxCommands, type Model, type Real } from './fixtures/mailbox-model.ts';
import { termsOf } from './terms.ts';
import { Mailbox, type Overflow } from './mailbox.ts';
import type { Tag } from './tag.ts';

function filled(count: number, capacity = 100): Mailbox {
  const mailbox = new Mailbox(capacity);
  for (let n = 1; n <= count; n++) mailbox.offer(n, 0);
  return mailbox;
}

/** A mailbox, and what is counted of it. */
function countedMailbox(capacity: number, overflow?: Overflow) {
  const [mailbox, sum] = [new Mailbox(capacity, overflow), { depth: 0, capacity: 0, handled: 0 }];
  mailbox.countIn(sum);
  return { mailbox, sum };
}

function taken(mailbox: Mailbox, max: number): unknown[] {
  const batch: unknown[] = [];
  mailbox.take(batch, 0, max);
  return envelopesOf(batch).map(({ event }) => event);
}

describe('a mailbox with traces', () => {
  const trace = (told: boolean) => ({ headers: { traceparent: 'x' }, sentAt: 0, told });
  const runsOf = (mailbox: Mailbox): unknown[] => {
    const batch: unknown[] = [];
    mailbox.take(batch, 0, 100);
    return Array.from({ length: runCount(batch) }, (_, i) => runAt(batch, i).length);
  };

  it('sends events that share a trace of which nothing is told as one run, behind that trace', () => {
    const mailbox = new Mailbox(100);
    const [shared, other] = [trace(false), trace(false)];
    for (let n = 0; n < 9; n++)
      mailbox.offer({ type: 'x', n }, 0, undefined, undefined, n < 6 ? shared : other);
    mailbox.offer({ type: 'x' }, 0);
    expect(runsOf(mailbox)).toEqual([0, 6, 0, 3, 1]);
  });

  it('sends each event of which something is told alone', () => {
    const mailbox = new Mailbox(100);
    const told = trace(true);
    for (let n = 0; n < 3; n++) mailbox.offer({ type: 'x', n }, 0, undefined, undefined, told);
    expect(runsOf(mailbox)).toEqual([0, 1, 0, 1, 0, 1]);
  });

  it('keeps asks and events of one trace in runs of their own', () => {
    const mailbox = new Mailbox(100);
    const shared = trace(false);
    for (const tag of [0, 0, 1, 2, 0]) mailbox.offer({ type: 'x', tag }, tag, undefined, undefined, shared);
    expect(runsOf(mailbox)).toEqual([0, 2, 0, 2, 0, 1]);
  });
});

/** Whether a promise has settled by the end of this turn of the event loop. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => (settled = true));
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  return settled;
}

async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  gc();
}

const overflows = fc.constantFrom<Overflow>('reject', 'drop-oldest', 'drop-oldest', 'drop-newest');

describe('a mailbox', () => {
  it('that had much to do gives the room back when it is empty', async () => {
    const used = async (): Promise<number> => {
      await collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const mailboxes = Array.from({ length: 500 }, () => new Mailbox(1000));
    const before = await used();
    for (const mailbox of mailboxes) {
      for (let n = 0; n < 1000; n++) mailbox.offer('event', 0);
      taken(mailbox, 1000);
      mailbox.acknowledge(1000, () => {});
    }
    // Three words for each of 1024 places are 12 MB.
    expect((await used()) - before).toBeLessThan(3_000_000);
    expect(mailboxes.every(({ depth }) => depth === 0)).toBe(true);
  });

  it('keeps order and tags, however often it grows and is empty again', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ more: fc.nat(700), done: fc.nat(900) }), { maxLength: 12 }),
        (rounds) => {
          const mailbox = new Mailbox(5000);
          const [sent, delivered]: [number[], number[]] = [[], []];
          let [count, waiting, isCounted] = [0, 0, true];
          for (const { more, done } of rounds) {
            for (let n = 0; n < more; n++) mailbox.offer((count += 1), -count);
            sent.push(...(taken(mailbox, more) as number[]));
            waiting += more;
            const handled = Math.min(done, waiting);
            mailbox.acknowledge(handled, (tag) => delivered.push(-tag));
            waiting -= handled;
            isCounted &&= mailbox.depth === waiting;
          }
          const all = Array.from({ length: count }, (_, n) => n + 1);
          expect([isCounted, sent]).toEqual([true, all]);
          expect(delivered).toEqual(all.slice(0, count - waiting));
        },
      ),
      { numRuns: 50 },
    );
  });

  it('is split into what was sent and what was not', async () => {
    const mailbox = new Mailbox(10);
    for (const [n, tag] of [-1, 2, 0, -4].entries()) mailbox.offer(n, tag);
    mailbox.offerControl('told');
    taken(mailbox, 3);
    mailbox.acknowledge(1, () => {});
    const passed = mailbox.passed();

    const sent = mailbox.split();

    expect([sent.inFlight, sent.queued, mailbox.inFlight, mailbox.queued]).toEqual([2, 0, 0, 2]);
    const discarded: unknown[] = [];
    sent.acknowledge(1, () => {});
    sent.rewind();
    sent.clear((event, tag) => discarded.push(event, tag));
    expect(discarded).toEqual([2, 0]);
    expect(taken(mailbox, 10)).toEqual([3, 'told']);
    mailbox.acknowledge(2, () => {});
    expect(await isSettled(passed)).toBe(true);
  });

  it('does what a plain array would do, whatever happens to it', async () => {
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(
        mailboxCommands,
        fc.integer({ min: 1, max: 70 }),
        overflows,
        async (commands, capacity, overflow) => {
          const setup = (): { model: Model; real: Real } => ({
            model: { capacity, overflow, items: [], sent: 0, handled: 0, nextEvent: 0, barriers: [] },
            real: { ...countedMailbox(capacity, overflow), passed: [] },
          });
          await fc.asyncModelRun(setup, commands);
          runs += 1;
        },
      ),
      { numRuns: 200 },
    );
    expect(runs).toBe(200);
  });

  it('counts in the sum it shares whatever comes and goes, for as long as it is told to', () => {
    const { mailbox, sum } = countedMailbox(5);
    const other = filled(2, 10);
    other.countIn(sum);
    const mark = { n: 1 };
    const prior = { event: 'prior', mark };
    const steps: readonly (() => void)[] = [
      () => mailbox.offer('a', 0),
      () => mailbox.prepend([prior, prior]),
      () => mailbox.take([], 0, 9),
      () => mailbox.acknowledgeTo(1, () => {}),
      () => mailbox.unhandled(),
      () => mailbox.handledBeside(4),
      () => mailbox.split(),
      () => mailbox.put('b', mark),
      () => mailbox.retract(mark),
    ];
    for (const step of steps) {
      step();
      expect(sum).toEqual({
        depth: mailbox.depth + 2,
        capacity: 15,
        handled: mailbox.handled,
      });
    }
    mailbox.offer('c', 0);
    mailbox.countIn(undefined);
    expect(sum).toEqual({ depth: 2, capacity: 10, handled: 0 });
    mailbox.offer('d', 0);
    expect(sum.depth).toBe(2);
    mailbox.countIn(sum);
    expect(sum).toEqual({ depth: 4, capacity: 15, handled: 4 });
  });

  it('keeps its order over many times its ring, while it is filled and emptied', () => {
    const mailbox = new Mailbox(50);
    const seen: unknown[] = [];
    let next = 1;
    for (let round = 0; round < 500; round++) {
      while (mailbox.offer(next, 0)) next += 1;
      const some = taken(mailbox, 1 + (round % 37));
      seen.push(...some);
      mailbox.acknowledge(some.length, () => {});
    }

    expect(seen).toEqual(Array.from({ length: seen.length }, (_, n) => n + 1));
    expect(seen.length).toBeGreaterThan(5000);
  });

  it('counts what is queued and what is not acknowledged against its capacity', () => {
    const mailbox = filled(3, 3);
    expect(mailbox.offer('over', 0)).toBe(false);

    taken(mailbox, 2);
    expect(mailbox.offer('still over', 0)).toBe(false);
    expect([mailbox.depth, mailbox.queued]).toEqual([3, 1]);
    mailbox.acknowledge(1, () => {});

    expect(mailbox.offer('fits', 0)).toBe(true);
    expect(mailbox.offer('over again', 0)).toBe(false);
  });

  it('always has room for what the runtime itself has to tell, in its place in the order', () => {
    const mailbox = filled(2, 2);

    mailbox.offerControl('control');
    expect(mailbox.offer('over', 0)).toBe(false);
    expect(mailbox.depth).toBe(3);
    expect(taken(mailbox, 9)).toEqual([1, 2, 'control']);
    mailbox.acknowledge(1, () => {});

    expect(mailbox.offer('fits', 0)).toBe(true);
    expect(mailbox.offer('over', 0)).toBe(false);
  });

  it('says with what an event of the runtime itself was marked when that was sent, and to nobody who takes it out', () => {
    const mailbox = filled(1, 2);
    const mark = { n: 0 };
    mailbox.offerControl('control', mark);
    taken(mailbox, 2);
    expect(mailbox.marksSent(0, 2)).toEqual([{ mark, tag: -Infinity }]);
    expect(mailbox.markAt(1)).toBeUndefined();
    expect(mailbox.split().marksSent(0, 2)).toHaveLength(1);

    mailbox.offerControl('control', mark);
    const seen: unknown[] = [];
    mailbox.discardAt(0, (event, tag, marked) => seen.push([event, tag, marked]));
    expect(seen).toEqual([['control', 0, undefined]]);
  });

  it('may have room for nothing', () => {
    expect(new Mailbox(0).offer(1, 0)).toBe(false);
  });

  it('lets go of an event once it was handled or taken out', async () => {
    const mailbox = new Mailbox(6);
    const gone: WeakRef<object>[] = [];
    const fill = (): void => {
      for (let n = 0; n < 6; n++) {
        const event = { n };
        gone.push(new WeakRef(event));
        mailbox.offer(event, 0);
      }
    };
    fill();
    taken(mailbox, 4);

    mailbox.acknowledge(1, () => {});
    mailbox.discardFirst(() => {});
    mailbox.takeBack(
      1,
      () => false,
      () => {},
    );
    await collectGarbage();

    expect(gone.map((ref) => ref.deref() === undefined)).toEqual([true, true, false, true, false, false]);
    mailbox.clear(() => {});
    await collectGarbage();
    expect(gone.every((ref) => ref.deref() === undefined)).toBe(true);
  });
});

describe('a batch', () => {
  it('is one run for envelopes in a row, and names the tag of each ask between them', () => {
    const mailbox = new Mailbox(10);
    const offers: [string, Tag][] = [
      ['a', 0],
      ['b', -7],
      ['ask', 5],
      ['c', 0],
      ['d', 0],
    ];
    for (const [event, tag] of offers) mailbox.offer(event, tag);
    const batch: unknown[] = [];

    expect(mailbox.take(batch, 9, 10)).toBe(5);

    const runs = Array.from({ length: runCount(batch) }, (_, i) => runAt(batch, i));
    expect(runs.map(({ slot, length, asks }) => [slot, length, asks?.[0]])).toEqual([
      [9, 2, undefined],
      [9, 1, [5]],
      [9, 2, undefined],
    ]);
    expect(envelopesOf(batch).map(({ event }) => event)).toEqual(['a', 'b', 'ask', 'c', 'd']);
  });

  it('has no empty runs', () => {
    const mailbox = new Mailbox(10);
    const batch: unknown[] = [];
    expect(mailbox.take(batch, 0, 10)).toBe(0);
    mailbox.offer('ask', 1);
    mailbox.offer('ask', 2);

    mailbox.take(batch, 0, 1);
    mailbox.take(batch, 0, 0);

    expect(runCount(batch)).toBe(1);
    expect(envelopesOf(batch)).toEqual([{ slot: 0, tag: 1, event: 'ask' }]);
  });

  it('reads back as it was written, for any row of envelopes', () => {
    const tag = fc.constantFrom(0, 0, 0, -1, 1);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.anything(), tag), { maxLength: 60 }),
        fc.integer({ min: 1, max: 60 }),
        (offers, max) => {
          const mailbox = new Mailbox(60);
          offers.forEach(([event, sign], n) => mailbox.offer(event, sign * (n + 1)));
          const batch: unknown[] = [];

          const count = mailbox.take(batch, 4, max);

          expect(count).toBe(Math.min(max, offers.length));
          expect(envelopesOf(batch)).toEqual(
            offers.slice(0, max).map(([event, sign], n) => ({ slot: 4, tag: sign > 0 ? n + 1 : 0, event })),
          );
        },
      ),
    );
  });
});

describe('passed', () => {
  it('resolves at once for an empty mailbox', async () => {
    expect(await isSettled(new Mailbox(1).passed())).toBe(true);
  });

  it('waits for what was there, and not for what comes later', async () => {
    const mailbox = filled(2);
    const passed = mailbox.passed();
    mailbox.offer('later', 0);
    taken(mailbox, 3);

    mailbox.acknowledge(1, () => {});
    expect(await isSettled(passed)).toBe(false);
    mailbox.acknowledge(1, () => {});

    expect(await isSettled(passed)).toBe(true);
    expect(mailbox.depth).toBe(1);
  });

  it('does not wait for envelopes that came later when an earlier one was taken out', async () => {
    const mailbox = filled(3);
    const passed = mailbox.passed();
    mailbox.offer(4, 0);
    mailbox.offer(5, 0);
    taken(mailbox, 5);
    mailbox.takeBack(
      5,
      (event) => event !== 2,
      () => {},
    );

    expect(taken(mailbox, 2)).toEqual([1, 3]);
    mailbox.acknowledge(2, () => {});

    expect(await isSettled(passed)).toBe(true);
  });
});

describe('what a thread says it has handled', () => {
  it('brings nothing back when it is less than nothing', () => {
    const mailbox = filled(4);
    taken(mailbox, 4);
    mailbox.acknowledge(2, () => {});

    mailbox.acknowledge(-2, () => {});

    expect([mailbox.depth, mailbox.handled]).toEqual([2, 2]);
    mailbox.rewind();
    expect(taken(mailbox, 4)).toEqual([3, 4]);
  });

  it('frees no more than was sent', () => {
    const mailbox = filled(4);
    taken(mailbox, 2);

    mailbox.acknowledge(1000, () => {});

    expect([mailbox.depth, mailbox.queued, mailbox.handled]).toEqual([2, 2, 2]);
  });
});

describe('what was sent and waits again', () => {
  const expired = (mailbox: Mailbox): unknown[] => {
    const seen: unknown[] = [];
    mailbox.expire(50, (event) => seen.push(event));
    return seen;
  };

  it.each<[string, (mailbox: Mailbox) => void]>([
    ['as its thread is gone', (mailbox) => mailbox.rewind()],
    [
      'as its batch could not leave',
      (mailbox) =>
        mailbox.takeBack(
          1,
          () => true,
          () => {},
        ),
    ],
  ])('expires like all that waits: %s', (_why, back) => {
    const mailbox = new Mailbox(10);
    mailbox.offer('ask', 1, termsOf(20, 0));
    taken(mailbox, 1);
    expect(expired(mailbox)).toEqual([]);

    back(mailbox);

    expect(expired(mailbox)).toEqual(['ask']);
    expect(mailbox.depth).toBe(0);
  });
});

describe('discarding', () => {
  it('may itself offer to the mailbox', () => {
    const mailbox = filled(3);
    const seen: unknown[] = [];
    taken(mailbox, 2);

    mailbox.discardFirst((event) => {
      seen.push(event);
      mailbox.offer('from the discard', 0);
    });

    mailbox.rewind();
    expect(seen).toEqual([1]);
    expect(taken(mailbox, 9)).toEqual([2, 3, 'from the discard']);
  });

  it('may offer while a batch is taken back', () => {
    const mailbox = filled(3);
    taken(mailbox, 3);

    mailbox.takeBack(
      3,
      (event) => event !== 2,
      () => mailbox.offer('from the discard', 0),
    );

    expect(taken(mailbox, 9)).toEqual([1, 3, 'from the discard']);
  });
});

describe('an envelope in the middle', () => {
  const filled = (): Mailbox => {
    const mailbox = new Mailbox(10);
    for (const [n, tag] of [0, 5, -6, 0].entries()) mailbox.offer({ type: 'e', n }, tag);
    mailbox.take([], 0, 3);
    mailbox.rewind();
    return mailbox;
  };
  const left = (mailbox: Mailbox): unknown[] => {
    const events: unknown[] = [];
    mailbox.clear((event) => events.push((event as { n: number }).n));
    return events;
  };

  it('is handled while those before it are not, and whoever waits for its delivery hears of it', () => {
    const mailbox = filled();
    const delivered: number[] = [];
    mailbox.acknowledgeTo(2, (tag) => delivered.push(tag));
    // The answer to an ask comes by itself.
    mailbox.acknowledgeTo(1, (tag) => delivered.push(tag));
    mailbox.acknowledgeTo(9, (tag) => delivered.push(tag));
    expect([delivered, mailbox.handled, mailbox.depth]).toEqual([[-6], 2, 2]);
    expect(left(mailbox)).toEqual([0, 3]);
  });

  it('is taken out, and nothing else is', () => {
    for (const n of [0, 2, 3]) {
      const mailbox = filled();
      const out: unknown[] = [];
      mailbox.discardAt(n, (event, tag) => out.push((event as { n: number }).n, tag));
      expect(out).toEqual([n, [0, 5, -6, 0][n]]);
      expect(mailbox.handled).toBe(0);
      expect(left(mailbox)).toEqual([0, 1, 2, 3].filter((other) => other !== n));
    }
  });
});
