import { describe, expect, it } from 'vitest';
import { nextTurn } from './fixtures/fake-thread.ts';
import { createRig } from './fixtures/outbox-with-thread.ts';

/** An outbox to a thread that counts its batches and settles none. */
function counted(options: Parameters<typeof createRig>[0] = {}) {
  const urgent: boolean[] = [];
  let pulls = 0;
  const rig = createRig({
    ...options,
    pull: () => void (pulls += 1),
    sent: (isUrgent) => urgent.push(isUrgent),
    deliver: () => new Promise(() => {}),
  });
  return { rig, urgent, pulls: () => pulls };
}

describe('batches that are counted', () => {
  it('leave while fewer are under way than may be, and again as they are counted', async () => {
    const { rig, urgent } = counted({ maxInFlight: 4, quantum: 1 });
    const agent = rig.mailbox();
    for (let n = 0; n < 6; n++) {
      rig.send(agent, n);
      await nextTurn();
    }
    expect([urgent.length, rig.outbox.inFlight]).toEqual([4, 4]);
    rig.outbox.acknowledge([[0, 4]], 3);
    expect([urgent.length, rig.outbox.inFlight, agent.mailbox.depth]).toEqual([5, 2, 2]);
  });

  it('are counted before what waits leaves, when the count comes with a batch', async () => {
    const { rig, urgent } = counted({ maxInFlight: 1 });
    const agent = rig.mailbox();
    rig.send(agent, 1);
    await nextTurn();
    // Beyond its turn the second waits for the window.
    for (let n = 0; n < 20; n++) rig.send(agent, n);
    await nextTurn();
    const before = urgent.length;
    rig.outbox.settle([[0, agent.mailbox.inFlight]], before);
    expect(urgent).toHaveLength(before);
    await nextTurn();
    expect(urgent).toHaveLength(before + 1);
  });

  it('are not credited by what is no count', async () => {
    const { rig } = counted();
    const agent = rig.mailbox();
    rig.send(agent, 1);
    await nextTurn();
    for (const lie of [-1, 0.5, Number.NaN, Infinity, 2 ** 60]) rig.outbox.acknowledge([[]], lie);
    expect(rig.outbox.inFlight).toBe(1);
    rig.outbox.acknowledge([[]], 1e9);
    expect(rig.outbox.inFlight).toBe(0);
  });
});

it('what is acknowledged late takes no room of what is sent next, and what is sent then does', async () => {
  const { rig, urgent } = counted();
  const agent = rig.mailbox(16);
  expect(rig.send(agent, 'handled, as far as one can tell')).toBe(true);
  await nextTurn();
  for (let n = 0; n < 16; n++) expect(rig.send(agent, n)).toBe(true);
  expect(rig.send(agent, 'one too many')).toBe(false);
  await nextTurn();
  expect(urgent).toEqual([false, true]);
  rig.outbox.acknowledge([[0, 1]], 1);
  expect(rig.send(agent, 'still one too many')).toBe(false);
  rig.outbox.acknowledge([[0, 2]], 1);
  expect(agent.mailbox.hasRoom).toBe(true);
});

describe('an ack is urgent', () => {
  it('when somebody waits for a delivery, and not for a plain event', async () => {
    const { rig, urgent } = counted();
    const agent = rig.mailbox();
    rig.send(agent, 'plain');
    await nextTurn();
    rig.send(agent, 'delivery', -1);
    await nextTurn();
    rig.outbox.acknowledge([[0, 2]], 2);
    rig.send(agent, 'plain');
    await nextTurn();
    expect(urgent).toEqual([false, true, false]);
  });

  it('when an eighth of the mailbox would be acknowledged late', async () => {
    const { rig, urgent } = counted();
    const agent = rig.mailbox(24);
    for (let n = 0; n < 3; n++) {
      rig.send(agent, n);
      await nextTurn();
    }
    expect(urgent).toEqual([false, false, true]);
  });

  it('when half of the batches or envelopes that may be under way are', async () => {
    const { rig, urgent } = counted({ maxInFlight: 6, window: 8 });
    const agent = rig.mailbox();
    for (let n = 0; n < 3; n++) {
      rig.send(agent, n);
      await nextTurn();
    }
    expect(urgent).toEqual([false, false, true]);
    rig.outbox.acknowledge([[0, 3]], 3);
    for (let n = 0; n < 4; n++) rig.send(agent, n);
    await nextTurn();
    rig.send(agent, 'more');
    await nextTurn();
    expect(urgent.slice(3)).toEqual([false, true]);
  });

  it('when more is queued', async () => {
    const { rig, urgent } = counted({ maxBatch: 2 });
    const agent = rig.mailbox();
    for (let n = 0; n < 3; n++) rig.send(agent, n);
    await nextTurn();
    expect(urgent).toEqual([true, false]);
  });
});

describe('a pull', () => {
  it('asks once, until the thread has counted something', async () => {
    const { rig, pulls } = counted();
    const agent = rig.mailbox();
    rig.outbox.pull();
    expect(pulls()).toBe(0);
    rig.send(agent, 1);
    rig.send(agent, 2);
    await nextTurn();
    rig.outbox.pull();
    rig.outbox.pull();
    expect(pulls()).toBe(1);
    rig.outbox.acknowledge([[0, 1]]);
    rig.outbox.pull();
    expect(pulls()).toBe(1);
    rig.outbox.acknowledge([[0, 1]], 1);
    rig.outbox.pull();
    expect(pulls()).toBe(1);
    rig.send(agent, 3);
    await nextTurn();
    rig.outbox.pull();
    expect(pulls()).toBe(2);
  });
});
