import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { stepsOf } from '../fixtures/steps.ts';
import type { LetterReport } from '../wire/protocol.ts';
import { openProgress } from '../wire/progress.ts';
import { isBatch } from './peer-batch.ts';
import { Peers } from './peers.ts';
import { Turns } from './turns.ts';

interface Rig {
  readonly peers: Peers;
  readonly letters: LetterReport[];
  readonly warnings: string[];
  /** The other end of the port, in the hands of somebody else. */
  readonly other: MessagePort;
  readonly next: () => Promise<readonly unknown[]>;
  readonly asked: string[];
}

/** A thread whose host says that everybody is on thread 7, if it answers. */
function rig(isAnswered = true): Rig {
  const { port1, port2 } = new MessageChannel();
  onTestFinished(() => port1.close());
  const [letters, warnings, asked]: [LetterReport[], string[], string[]] = [[], [], []];
  const progress = openProgress(new SharedArrayBuffer(256));
  const now = (): number => performance.now();
  const turns = new Turns({ progress, now, beforeAck() {}, expired() {}, refused() {} });
  const peers = new Peers({
    isInspected: () => false,
    turns,
    clock: { setTimeout, clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout), now },
    instanceAt: () => undefined,
    callHost(method) {
      asked.push(method);
      if (!isAnswered) return new Promise(() => {});
      const line = { link: 70, peer: 7, capacity: 100, maxBytes: 1000, sharedMemory: false };
      return Promise.resolve(method === 'connect' ? line : undefined);
    },
    letter: (letter) => letters.push(letter),
    flush() {},
    warn: (message) => warnings.push(message),
    sharedMemory: false,
  });
  peers.join(7, port1);
  const messages: unknown[][] = [];
  const waiting: ((message: unknown[]) => void)[] = [];
  port2.on('message', (message: unknown[]) => {
    const first = waiting.shift();
    if (first === undefined) messages.push(message);
    else first(message);
  });
  const next = (): Promise<readonly unknown[]> => {
    const message = messages.shift();
    return message === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(message);
  };
  return { peers, letters, warnings, other: port2, next, asked };
}

describe('a thread that lies to another', () => {
  test('answers nothing that it was not asked, and ends nothing with what is no ack', async () => {
    const { peers, other, next } = rig();
    const wait = { timeoutMs: 5000 };
    const ask = peers.ask(undefined, 'b/1', { type: 'ask' }, wait);
    const [, method, batch] = await next();
    expect(method).toBe('deliver');
    const tag = (batch as unknown[])[2] as number;
    const lies: unknown[] = [
      null,
      [],
      [[70]],
      [[70, -5]],
      [[70, Number.NaN, 71, 1e9]],
      [[], 5],
      [[], [tag + 1], ['forged']],
      [[], [tag], null],
      [[], [], [], 'failed'],
      [[], [], [], [tag]],
      [[], [], [], [tag + 9, null], [tag + 9]],
      { length: 3 },
    ];
    for (const lie of lies) other.postMessage([0, 'acknowledge', lie, 0]);
    for (const batches of [-1, 0.5, Number.NaN, 1e9, 'many', null])
      other.postMessage([0, 'acknowledge', [[]], batches]);
    other.postMessage([0, 'acknowledge', [[70, 1], [tag], ['true']], 1]);
    expect(await ask).toBe('true');
    const again = peers.ask(undefined, 'b/1', { type: 'ask' }, wait);
    let second: unknown;
    for (let call: unknown; call !== 'deliver';) [, call, second] = await next();
    other.postMessage([0, 'acknowledge', [[70, 1], [(second as unknown[])[2]], ['also true']], 1]);
    expect(await again).toBe('also true');
  });

  test('is refused what is no batch', async () => {
    const { warnings, other, next } = rig();
    other.postMessage([0, 'deliver', [70, 1, 0, 0, null], true]);
    other.postMessage([0, 'deliver', [70, 1, 0, 0, { type: 'to nobody' }], true]);
    expect(await next()).toEqual([0, 'acknowledge', [[]], 1]);
    expect(warnings).toEqual(['the thread refused a malformed batch from another thread']);
  });
});

test.each([
  ['one event', [1, 1, 0, 0, { type: 'a' }], true],
  ['an ask', [1, 1, 5, 64, { type: 'a' }], true],
  ['several', [1, 2, null, null, [{ type: 'a' }, { type: 'b' }]], true],
  ['several asks', [1, 2, [[5, 6], 64], null, [{ type: 'a' }, { type: 'b' }]], true],
  ['packed ones', [1, 2, null, ['type', 'n'], ['a', [1, 2]]], true],
  ['packed ones of several types', [1, 2, null, ['type'], [['a', 'b']]], true],
  ['nothing', [], true],
  ['a traced one', [1, 0, { traceparent: 'x' }, 5, true, 1, 1, 0, 0, { type: 'a' }], true],
  ['one that is measured', [1, 0, null, 5, true, 1, 1, 0, 0, { type: 'a' }], true],
  ['a trace without a time', [1, 0, null, 'x', true, 1, 1, 0, 0, { type: 'a' }], false],
  ['a trace that is no headers', [1, 0, { a: 1 }, 5, true, 1, 1, 0, 0, { type: 'a' }], false],
  ['a text', 'batch', false],
  ['half a row', [1, 1, 0], false],
  ['no event', [1, 1, 0, 0, 5], false],
  ['an event without a type', [1, 1, 0, 0, {}], false],
  ["XState's own stop", [1, 1, 0, 0, { type: 'xstate.stop' }], false],
  ['the same, packed', [1, 2, null, ['type'], ['xstate.stop']], false],
  ['what XState itself tells', [1, 1, 0, 0, { type: 'xstate.done.actor.check' }], false],
  [
    'what the runtime tells, after another',
    [1, 2, null, null, [{ type: 'a' }, { type: 'secret.revoked' }]],
    false,
  ],
  ['such a type among others, packed', [1, 2, null, ['type'], [['a', 'holdfast.done']]], false],
  ['two types, of which the last is taken', [1, 2, null, ['type', 'type'], ['a', 'xstate.init']], false],
  ['a type under a key that becomes one', [1, 2, null, ['type', ['type']], ['a', 'xstate.init']], false],
  ['fewer than it says', [1, 3, null, null, [{ type: 'a' }]], false],
  ['more than anybody sends', [1, 1e9, null, ['type'], ['a']], false],
  ['none', [1, 0, null, null, []], false],
  ['half of one', [1, 1.5, null, null, [{ type: 'a' }]], false],
  ['a column too few', [1, 2, null, ['type', 'n'], ['a']], false],
  ['a prototype', [1, 2, null, ['type', '__proto__'], ['a', [{}, {}]]], false],
  ['types that are too few', [1, 3, null, ['type'], [['a']]], false],
  ['asks without tags', [1, 2, [[5], 64], null, [{ type: 'a' }, { type: 'b' }]], false],
  ['asks without terms', [1, 2, [[5, 6], null], null, [{ type: 'a' }, { type: 'b' }]], false],
  ['no slot', ['x', 1, 0, 0, { type: 'a' }], false],
])('a batch of %s', (_what, batch, good) => {
  expect(isBatch(batch)).toBe(good);
});

const suspect = {
  cause: 'exit',
  thread: 'holdfast:b:1',
  error: { name: 'Error', message: 'gone' },
} as const;

test('an end of an incarnation that nobody knows changes nothing', async () => {
  const { peers, next, letters } = rig();
  peers.send(undefined, 'b/1', { type: 'note' });
  await next();
  peers.severed({ link: 71, handled: 5, suspect, error: undefined });
  expect(peers.kept.lines).toBe(1);
  expect(letters).toEqual([]);
});

test('what has been sent and not handled goes to the next incarnation, in order, and nothing else', async () => {
  const { peers, next, letters, asked } = rig();
  for (let n = 1; n <= 3; n++) peers.send(undefined, 'b/1', { type: 'note', n });
  await next();
  peers.severed({ link: 70, handled: 1, suspect, error: suspect.error });
  const [, , batch] = await next();
  expect((batch as unknown[])[4]).toEqual({ type: 'note', n: 3 });
  expect(letters).toMatchObject([{ address: 'b/1', reason: 'poison', event: { n: 2 }, evidence: suspect }]);
  peers.severed({ link: 70, handled: 1, suspect: undefined, error: undefined });
  expect(peers.kept.lines).toBe(0);
  expect(asked).toEqual(['connect', 'connect', 'disconnect']);
});

describe('what was handled and nobody waits for', () => {
  const self = { address: 'a/1', threadId: 'a', thread: 1, incarnation: 1 };

  test('is asked for, once, when somebody has to know whether it was', async () => {
    const { peers, other, next } = rig();
    peers.send(self, 'b/1', { type: 'note' });
    expect((await next()).slice(-1)).toEqual([false]);
    expect([peers.isBusy(self), peers.busy]).toEqual([true, true]);
    expect(await next()).toEqual([0, 'pull']);
    other.postMessage([0, 'acknowledge', [[70, 1]], 1]);
    await expect.poll(() => peers.isBusy(self)).toBe(false);
    expect(peers.busy).toBe(false);
    peers.send(self, 'b/1', { type: 'note', n: 2 });
    expect((await next())[1]).toBe('deliver');
  });

  test('comes with the next batch from there, before it', async () => {
    const { peers, other, next } = rig();
    peers.send(self, 'b/1', { type: 'note' });
    await next();
    other.postMessage([0, 'deliver', [], true, [[70, 1]], 1]);
    expect(await next()).toEqual([0, 'acknowledge', [[]], 1]);
    expect(peers.isBusy(self)).toBe(false);
  });

  test('goes with the next batch to there', async () => {
    const { peers, other, next } = rig();
    peers.send(self, 'b/1', { type: 'note' });
    await next();
    other.postMessage([0, 'deliver', [], false]);
    other.postMessage([0, 'deliver', [], false, [[70, 1]], 1]);
    await expect.poll(() => peers.isBusy(self)).toBe(false);
    peers.send(self, 'b/1', { type: 'note', n: 2 });
    let message: readonly unknown[] = [];
    while (message[1] !== 'deliver') message = await next();
    expect(message.slice(3)).toEqual([false, [[]], 2]);
  });

  test('is told at once to who asks for it', async () => {
    const { other, next } = rig();
    other.postMessage([0, 'deliver', [], false]);
    other.postMessage([0, 'pull']);
    expect(await next()).toEqual([0, 'acknowledge', [[]], 1]);
  });
});

describe('an instance that has ended', () => {
  const self = { address: 'a/1', threadId: 'a', thread: 1, incarnation: 1 };
  const wait = { timeoutMs: 1000 };

  test('has what it sent before delivered, and what it sends then refused, and nothing of it is kept', async () => {
    const { peers, other, next, asked, letters } = rig();
    peers.send(self, 'b/1', { type: 'note', n: 1 });
    peers.left(self);
    peers.send(self, 'b/1', { type: 'note', n: 2 });
    const [, , first] = await next();
    expect((first as unknown[])[4]).toEqual({ type: 'note', n: 1 });
    other.postMessage([0, 'acknowledge', [[70, 1]], 1]);
    await expect.poll(() => peers.kept.lines).toBe(0);

    peers.send(self, 'b/1', { type: 'note', n: 3 });
    expect(letters).toMatchObject([
      { address: 'b/1', reason: 'stale-incarnation', event: { n: 2 } },
      { address: 'b/1', reason: 'stale-incarnation', event: { n: 3 } },
    ]);
    expect(peers.kept.lines).toBe(0);
    expect(asked).toEqual(['connect', 'disconnect']);
  });

  test('is told of its asks and deliveries that they are refused', async () => {
    const { peers, letters } = rig();
    peers.left(self);
    const late = [
      peers.ask(self, 'b/1', { type: 'a' }, wait),
      peers.deliver(self, 'b/1', { type: 'b' }, wait),
    ];
    for (const one of late)
      await expect(one).rejects.toMatchObject({
        code: 'AGENT_STOPPED',
        message: expect.stringContaining('sent by an incarnation that had ended') as string,
      });
    expect(letters).toHaveLength(2);
    expect(peers.kept.waiting).toBe(0);
  });

  test('does not stand in the way of a new one at its address, whatever of it is still on its way', async () => {
    const { peers, next, letters } = rig();
    peers.send(self, 'b/1', { type: 'note', n: 1 });
    await next();
    peers.left(self);
    const another = { ...self };
    peers.send(another, 'b/1', { type: 'note', n: 2 });
    const [, , batch] = await next();
    expect((batch as unknown[])[4]).toEqual({ type: 'note', n: 2 });
    expect(letters).toEqual([]);
  });

  test('has its own lines looked at, and not those of the others of its thread, however many they are', async () => {
    const stepsWith = async (n: number): Promise<[busy: number, left: number]> => {
      const { peers } = rig(false);
      const senders = Array.from({ length: n }, (_, i) => ({ ...self, address: `a/${i}` }));
      for (const sender of senders) for (const to of ['b/1', 'b/2']) peers.send(sender, to, { type: 'note' });
      const last = senders.at(-1) as (typeof senders)[number];
      expect([peers.isBusy(last), peers.isBusy({ ...last })]).toEqual([true, false]);
      const busy = await stepsOf(() => peers.isBusy(last));
      const left = await stepsOf(() => peers.left(last));
      expect(peers.kept.lines).toBe(2 * n);
      return [busy, left];
    };
    expect(await stepsWith(10_000)).toEqual(await stepsWith(1000));
  });
});
