import { MessageChannel } from 'node:worker_threads';
import { describe, expect, expectTypeOf, onTestFinished, test } from 'vitest';
import { nextTurn } from './fixtures/fake-thread.ts';
import { createRig } from './fixtures/outbox-with-thread.ts';
import { runAt } from './batch.ts';
import { Mailbox } from './mailbox.ts';
import { measure } from './size.ts';
import type * as own from './transfer.ts';
import { anyMarked, hasMoved, markOf, movedCopy, transfer, transferablesOf, type Mark } from './transfer.ts';

test('nothing is looked up before something is marked', () => {
  expect(anyMarked()).toBe(false);
  expect(transferablesOf([{}])).toBeUndefined();
  transfer({}, []);
  expect(anyMarked()).toBe(true);
});

test('the value is the same, and of the same type', () => {
  const event = { type: 'frame' as const, pixels: new Uint8Array(8) };
  const marked = transfer(event, [event.pixels.buffer]);
  expect(marked).toBe(event);
  expectTypeOf(marked).toEqualTypeOf<typeof event>();
});

test('what is no object goes as it is', () => {
  expect(transfer('text' as never, [])).toBe('text');
  expect(transfer(null as never, [])).toBeNull();
});

test('two copies of the module know the same marks', async () => {
  const another = './transfer.ts?copy';
  const copy = (await import(another)) as typeof own;
  expect(copy.markOf).not.toBe(markOf);
  expect(markOf(copy.transfer({ type: 'a' }, [])) === undefined).toBe(false);
});

test('memory that two views share is named once, whatever the list says', () => {
  const buffer = new ArrayBuffer(8);
  expect(transferablesOf([transfer({}, [buffer, buffer]), {}])).toEqual([buffer]);
});

describe('a copy out of the value', () => {
  test('has its memory and its ports, and is marked in its place', () => {
    const [{ port1, port2 }, bytes] = [new MessageChannel(), new Uint8Array([1, 2])];
    const value = transfer({ bytes, port1 }, [bytes.buffer, port1]);
    const { copy } = movedCopy(value, markOf(value) as Mark) as { copy: typeof value };
    onTestFinished(() => (port2.close(), copy.port1.close()));
    expect([bytes.byteLength, copy.bytes]).toEqual([0, new Uint8Array([1, 2])]);
    expect(transferablesOf([copy])).toEqual([copy.bytes.buffer, copy.port1]);
  });

  test('of what cannot be sent does not exist, and nothing has moved', () => {
    const bytes = new Uint8Array(2);
    const value = transfer({ bytes, call: () => 1 }, [bytes.buffer]);
    expect(movedCopy(value, markOf(value) as Mark)).toBeUndefined();
    expect(bytes.byteLength).toBe(2);
  });
});

describe('the size', () => {
  test('leaves out what moves, and counts the rest', () => {
    const [moves, stays] = [new Uint8Array(1000), new Uint8Array(100)];
    const event = transfer({ moves, part: moves.subarray(1), stays }, [moves.buffer]);
    expect(measure(event, Infinity)).toBeGreaterThan(100);
    expect(measure(event, Infinity)).toBeLessThan(300);
  });
});

describe('in a mailbox', () => {
  const plain = (n: number) => ({ type: 'plain', n });

  test('an event that moves is never packed with others', () => {
    const mailbox = new Mailbox(100);
    const buffer = new ArrayBuffer(1);
    const marked = transfer({ type: 'plain', n: buffer }, [buffer]);
    const events = [...[1, 2, 3, 4].map(plain), marked, ...[5, 6, 7, 8].map(plain)];
    for (const event of events) mailbox.offer(event, 0);
    const [batch, moving]: [unknown[], object[]] = [[], []];
    mailbox.take(batch, 0, 100, moving);
    expect(moving).toEqual([marked]);
    expect([runAt(batch, 0).keys, runAt(batch, 0).length, runAt(batch, 1).keys]).toEqual([
      ['type', 'n'],
      4,
      null,
    ]);
    expect(runAt(batch, 1).events).toContain(marked);
  });

  /** An outbox whose batches cross as they do through a port. */
  function rigThatMoves(): ReturnType<typeof createRig> {
    const rig = createRig({
      deliver: (batch, moves) =>
        rig.thread.deliver(structuredClone(batch, { transfer: moves as ArrayBuffer[] })),
    });
    return rig;
  }

  test('a batch moves what its events do, and only then have they moved', async () => {
    const rig = rigThatMoves();
    const agent = rig.mailbox();
    const [a, b] = [1, 2].map((n) => new ArrayBuffer(n)) as [ArrayBuffer, ArrayBuffer];
    const events = [transfer({ a }, [a]), { c: 1 }, transfer({ b }, [b])];
    for (const event of events) rig.send(agent, event);
    expect(events.map(hasMoved)).toEqual([false, false, false]);
    await nextTurn();
    expect(events.map(hasMoved)).toEqual([true, false, true]);
    expect([a.detached, b.detached, rig.thread.sizes]).toEqual([true, true, [3]]);
  });

  test('a batch that cannot leave moves nothing, and the others leave in their order', async () => {
    const rig = rigThatMoves();
    const agent = rig.mailbox();
    const buffers = [1, 2, 3].map((n) => new ArrayBuffer(n)) as [ArrayBuffer, ArrayBuffer, ArrayBuffer];
    const [first, bad, last] = [
      transfer({ buffer: buffers[0] }, [buffers[0]]),
      transfer({ buffer: buffers[1], call: () => 1 }, [buffers[1]]),
      transfer({ buffer: buffers[2] }, [buffers[2]]),
    ];
    for (const event of [first, bad, last]) rig.send(agent, event);
    await nextTurn();
    expect(rig.unclonable.map(({ event }) => event)).toEqual([bad]);
    expect(buffers.map(({ detached }) => detached)).toEqual([true, false, true]);
    expect(hasMoved(bad)).toBe(false);
    expect(rig.thread.sizes).toEqual([1, 1]);
    await rig.thread.workOff();
    const arrived = rig.thread.handled.map(({ event }) => event as { buffer: ArrayBuffer });
    expect(arrived.map(({ buffer }) => buffer.byteLength)).toEqual([1, 3]);
  });
});
