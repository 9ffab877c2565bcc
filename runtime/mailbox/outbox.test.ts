import { describe, expect, it } from 'vitest';
import { runCount, type Batch } from './batch.ts';
import { envelopesOf } from './fixtures/envelopes.ts';
import { nextTurn } from './fixtures/fake-thread.ts';
import { createRig } from './fixtures/outbox-with-thread.ts';

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, n) => from + n);
}

describe('the first envelope', () => {
  it('leaves in the same tick, by microtask, and never inside send', async () => {
    const rig = createRig();
    const agent = rig.mailbox();

    rig.send(agent, 'first');
    expect(rig.thread.sizes).toEqual([]);
    await Promise.resolve();

    expect(rig.thread.sizes).toEqual([1]);
  });

  it('takes with it everything that is sent in that tick', async () => {
    const rig = createRig();
    const agents = [rig.mailbox(), rig.mailbox()];

    for (const n of numbers(0, 20)) rig.send(agents[n % 2] as (typeof agents)[0], n);
    await Promise.resolve();

    expect(rig.thread.sizes).toEqual([20]);
  });

  it('leaves when the outbox says so, if it was given a way to say', () => {
    const soon: (() => void)[] = [];
    const rig = createRig({ soon: (run) => void soon.push(run) });
    const agent = rig.mailbox();

    rig.send(agent, 1);
    rig.send(agent, 2);
    expect(soon).toHaveLength(1);
    soon[0]?.();

    expect(rig.thread.sizes).toEqual([2]);
  });
});

describe('the clock of acks', () => {
  it('lets at most maxInFlight batches of at most maxBatch envelopes go without an ack', async () => {
    const rig = createRig({ maxInFlight: 3, maxBatch: 10 });
    const agent = rig.mailbox();
    for (const n of numbers(0, 100)) rig.send(agent, n);
    await nextTurn();

    expect(rig.thread.sizes).toEqual([10, 10, 10]);
    expect([rig.outbox.inFlight, agent.mailbox.queued]).toEqual([3, 70]);
    await rig.thread.work(10);

    expect(rig.thread.sizes).toEqual([10, 10, 10, 10]);
    await rig.thread.workOff();
    expect(rig.thread.maxInFlight).toBe(3);
    expect(Math.max(...rig.thread.sizes)).toBe(10);
    expect(rig.thread.handled.map(({ event }) => event)).toEqual(numbers(0, 100));
    expect([rig.outbox.inFlight, agent.mailbox.depth]).toEqual([0, 0]);
  });

  it('has eight batches of 256 under way by default', async () => {
    const rig = createRig();
    const agent = rig.mailbox();
    for (const n of numbers(0, 5000)) rig.send(agent, n);
    await nextTurn();

    expect(rig.thread.sizes).toEqual(Array.from({ length: 8 }, () => 256));
  });

  it('sends what has gathered with the next ack, in one batch', async () => {
    const rig = createRig({ maxInFlight: 1 });
    const agent = rig.mailbox();
    rig.send(agent, 0);
    await nextTurn();
    for (const n of numbers(1, 60)) {
      rig.send(agent, n);
      await Promise.resolve();
    }
    // A full window still lets each instance have one turn under way.
    const ones = Array.from({ length: 16 }, () => 1);
    expect(rig.thread.sizes).toEqual(ones);

    await rig.thread.work(16);
    expect(rig.thread.sizes).toEqual([...ones, 16]);
    await rig.thread.work(16);

    expect(rig.thread.sizes).toEqual([...ones, 16, 28]);
  });

  it('frees the mailbox with the ack, and tells those who wait for a delivery', async () => {
    const rig = createRig();
    const agent = rig.mailbox(2);
    rig.send(agent, 'a', -1);
    rig.send(agent, 'b', -2);
    expect(rig.send(agent, 'c')).toBe(false);
    await nextTurn();
    expect(rig.send(agent, 'c')).toBe(false);

    await rig.thread.workOff();

    expect(rig.delivered).toEqual([-1, -2]);
    expect(rig.send(agent, 'c')).toBe(true);
  });
});

describe('turns among instances', () => {
  it('are of 16 envelopes when others wait, so that a flood holds nobody up', async () => {
    const rig = createRig();
    const [flooded, quiet] = [rig.mailbox(), rig.mailbox()];
    for (const n of numbers(0, 1000)) rig.send(flooded, n);
    for (const n of numbers(0, 20)) rig.send(quiet, n);
    await nextTurn();

    const slots = rig.thread.oldest.map(({ slot }) => slot);

    expect(slots.slice(0, 16).every((slot) => slot === 0)).toBe(true);
    expect(slots.slice(16, 32).every((slot) => slot === 1)).toBe(true);
    expect(slots.slice(32, 48).every((slot) => slot === 0)).toBe(true);
    expect(slots.slice(48, 52).every((slot) => slot === 1)).toBe(true);
    expect(slots).toHaveLength(256);
  });

  it('fill the batch when nobody else waits', async () => {
    const batches: Batch[] = [];
    const rig = createRig({
      deliver(batch) {
        batches.push(batch);
        return new Promise(() => {});
      },
    });
    const agent = rig.mailbox();
    for (const n of numbers(0, 256)) rig.send(agent, n);
    await nextTurn();

    // One run, one header.
    expect(batches).toHaveLength(1);
    expect(runCount(batches[0] as Batch)).toBe(1);
    expect(envelopesOf(batches[0] as Batch)).toHaveLength(256);
  });

  it('go round: nobody waits longer than one turn of each other', async () => {
    const rig = createRig({ maxBatch: 64, quantum: 4 });
    const agents = [rig.mailbox(), rig.mailbox(), rig.mailbox()];
    for (const agent of agents) for (const n of numbers(0, 50)) rig.send(agent, n);
    await rig.thread.workOff();

    const order = rig.thread.handled.map(({ slot }) => slot);
    for (const slot of [0, 1, 2]) {
      const at = order.flatMap((one, index) => (one === slot ? [index] : []));
      const gaps = at.slice(1).map((index, n) => index - (at[n] as number));
      expect(Math.max(...gaps)).toBeLessThanOrEqual(9);
    }
  });
});

describe('an event that cannot be cloned', () => {
  it('is taken out and reported; all others leave in their order', async () => {
    const rig = createRig();
    const [one, two] = [rig.mailbox(), rig.mailbox()];
    const bad = { run: () => {} };
    for (const n of numbers(0, 30)) rig.send(one, n === 7 ? bad : n, n === 7 ? 77 : 0);
    for (const n of numbers(0, 30)) rig.send(two, n);
    await rig.thread.workOff();

    expect(rig.unclonable).toEqual([{ slot: 0, event: bad, tag: 77 }]);
    const handledBy = (slot: number): unknown[] =>
      rig.thread.handled.filter((turn) => turn.slot === slot).map(({ event }) => event);
    expect(handledBy(0)).toEqual(numbers(0, 30).filter((n) => n !== 7));
    expect(handledBy(1)).toEqual(numbers(0, 30));
    expect([one.mailbox.depth, two.mailbox.depth, rig.outbox.inFlight]).toEqual([0, 0, 0]);
  });

  it('alone is reported, and nothing leaves', async () => {
    const rig = createRig();
    const agent = rig.mailbox();
    rig.send(agent, () => {});
    await nextTurn();

    expect(rig.thread.sizes).toEqual([]);
    expect(rig.unclonable).toHaveLength(1);
    expect(agent.mailbox.depth).toBe(0);
  });

  it('is found, though it looks clonable when it is asked alone', async () => {
    const moody = { type: 'moody' };
    let calls = 0;
    const rig = createRig({
      maxBatch: 8,
      deliver(batch) {
        // Without a limit, a red run would never end.
        if (++calls > 500) return new Promise(() => {});
        if (envelopesOf(batch).some(({ event }) => event === moody)) throw new Error('not this time');
        return rig.thread.deliver(batch);
      },
    });
    const [one, two] = [rig.mailbox(), rig.mailbox()];
    for (const n of numbers(0, 20)) rig.send(one, n === 5 ? moody : n);
    for (const n of numbers(0, 20)) rig.send(two, n);
    await rig.thread.workOff();

    expect(rig.unclonable).toEqual([{ slot: 0, event: moody, tag: 0 }]);
    expect(rig.thread.handled).toHaveLength(39);
    expect(calls).toBeLessThan(80);
    expect([one.mailbox.depth, two.mailbox.depth]).toEqual([0, 0]);
  });
});

describe('closing', () => {
  it('lets nothing leave any more', async () => {
    const rig = createRig();
    const agent = rig.mailbox();
    rig.send(agent, 1);

    rig.outbox.close();
    rig.send(agent, 2);
    await nextTurn();

    expect(rig.thread.sizes).toEqual([]);
    expect(agent.mailbox.depth).toBe(2);
  });

  it('keeps what a dead thread never acknowledged, for the next one', async () => {
    const rig = createRig();
    const agent = rig.mailbox();
    for (const n of numbers(0, 5)) rig.send(agent, n);
    await nextTurn();

    rig.outbox.close();
    await rig.thread.die();
    rig.outbox.detach(agent.attachment, 0);

    expect([agent.mailbox.depth, agent.mailbox.queued]).toEqual([5, 5]);
    const next = createRig();
    next.outbox.attach(agent.mailbox, 0);
    await next.thread.workOff();
    expect(next.thread.handled.map(({ event }) => event)).toEqual(numbers(0, 5));
  });
});
