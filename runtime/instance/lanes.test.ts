import { expect, test } from 'vitest';
import type { AgentConfig, AgentRef, DeadLetter, HoldfastError, Logger } from 'holdfast';
import { fixture, nextEvent, start } from '../fixtures/start.ts';

const WAIT = { timeoutMs: 8000 };
const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

async function seenBy(ref: AgentRef): Promise<number[]> {
  const { context } = (await ref.snapshot(WAIT)) as unknown as { context: { seen: number[] } };
  return context.seen;
}

test.each(['selfish', 'pingPong'])(
  'Self-sending actor cannot starve the other actors or timers of its thread, nor its own events and stop: %s',
  async (name) => {
    const config = { ...(name === 'pingPong' && { export: name }) };
    const runtime = await start({
      agents: {
        selfish: fixture('selfish', config),
        beating: fixture('selfish', { export: 'beating' }),
        counter: fixture('counter'),
      },
    });
    const [selfish, beating, counter] = [
      await runtime.spawn('selfish'),
      await runtime.spawn('beating'),
      await runtime.spawn('counter'),
    ];
    expect(new Set([selfish, beating, counter].map(({ thread }) => thread)).size).toBe(1);
    await selfish.deliver({ type: 'start' }, WAIT);

    for (let n = 0; n < 20; n++) await counter.deliver({ type: 'inc' }, WAIT);
    expect(await counter.ask({ type: 'read' }, WAIT)).toBe(20);
    const { n } = (await beating.ask({ type: 'read' }, WAIT)) as { n: number };
    await expect
      .poll(async () => ((await beating.ask({ type: 'read' }, WAIT)) as { n: number }).n, { timeout: 60_000 })
      .toBeGreaterThan(n + 3);
    for (let n = 0; n < 5; n++) await selfish.deliver({ type: 'note' }, WAIT);
    expect(await selfish.ask({ type: 'read' }, WAIT)).toMatchObject({ other: 5 });

    await selfish.stop();
    expect(await counter.ask({ type: 'read' }, WAIT)).toBe(20);
    expect(runtime.status().instances.map(({ address }) => address)).not.toContain(selfish.address);
  },
);

test('an instance is stopped while its mailbox is full and it is busy; everything it did not handle is a dead letter', async () => {
  const runtime = await start({ agents: { process: fixture('process', { mailbox: { capacity: 50 } }) } });
  const ref = await runtime.spawn('process');
  const sent = [
    ref.deliver({ type: 'spin', ms: 200 }),
    ...numbers(60).map((n) => ref.deliver({ type: 'note', n })),
  ];
  const ends = Promise.allSettled(sent);
  await ref.stop();
  const results = await ends;
  const codes = results.flatMap((end) =>
    end.status === 'rejected' ? [(end.reason as HoldfastError).code] : [],
  );
  const handled = results.length - codes.length;
  expect(codes.filter((code) => code === 'MAILBOX_FULL')).toHaveLength(11);
  expect(codes.filter((code) => code === 'AGENT_STOPPED')).toHaveLength(50 - handled);
  expect(runtime.deadLetters.list()).toHaveLength(61 - handled);
});

const policies: [NonNullable<NonNullable<AgentConfig['mailbox']>['overflow']>, number[]][] = [
  ['reject', numbers(10)],
  ['drop-newest', numbers(10)],
  // What is in flight cannot be dropped: half of the mailbox may be.
  ['drop-oldest', [...numbers(5), ...numbers(25).slice(20)]],
];

test.each(policies)(
  'a full mailbox does as its agent says, and counts add up: %s',
  async (overflow, expected) => {
    const runtime = await start({
      agents: { process: fixture('process', { mailbox: { capacity: 10, overflow } }) },
    });
    const ref = await runtime.spawn('process');
    // In one tick the first leave for the thread, where they cannot be dropped any more.
    const sent = numbers(5).map((n) => ref.deliver({ type: 'note', n }));
    await Promise.resolve();
    await Promise.resolve();
    sent.push(
      ...numbers(25)
        .slice(5)
        .map((n) => ref.deliver({ type: 'note', n })),
    );
    const results = await Promise.allSettled(sent);
    const refused = results.filter(({ status }) => status === 'rejected');
    expect(refused.map((end) => (end as { reason: HoldfastError }).reason.code)).toEqual(
      Array(15).fill('MAILBOX_FULL'),
    );
    expect(await seenBy(ref)).toEqual(expected);
    const letters = runtime.deadLetters.list();
    expect(letters.map(({ reason }) => reason)).toEqual(Array(15).fill('mailbox-full'));
    const dropped = letters.map(({ event }) => (event as { n: number }).n);
    expect([...dropped, ...expected].sort((a, b) => a - b)).toEqual(numbers(25));
  },
);

test('an ask whose time is up in the thread is not handled there and becomes a dead letter', async () => {
  const runtime = await start({ agents: { process: fixture('process') } });
  const ref = await runtime.spawn('process');
  const letter = nextEvent<DeadLetter>((listener) => runtime.on('dead-letter', listener));
  ref.send({ type: 'spin', ms: 150 });
  const late = ref.ask({ type: 'note', n: 1 }, { timeoutMs: 20 });
  const patient = ref.ask({ type: 'env' }, WAIT);
  await expect(late).rejects.toMatchObject({ code: 'ASK_TIMEOUT' });
  expect(await letter).toMatchObject({
    reason: 'expired',
    event: { type: 'note', n: 1 },
    address: ref.address,
  });
  expect(await patient).toEqual({});
  expect(await seenBy(ref)).toEqual([]);
});

test('what waits in the host with its time up never goes to the thread and becomes a dead letter', async () => {
  const mailbox = { capacity: 2, overflow: 'drop-oldest' } as const;
  const runtime = await start({ agents: { process: fixture('process', { mailbox }) } });
  const ref = await runtime.spawn('process');
  const letter = nextEvent<DeadLetter>((listener) => runtime.on('dead-letter', listener));
  ref.send({ type: 'spin', ms: 150 });
  // Only one may be in flight.
  const late = ref.deliver({ type: 'note', n: 1 }, { timeoutMs: 20 });
  await expect(late).rejects.toMatchObject({ code: 'ASK_TIMEOUT' });
  expect(await letter).toMatchObject({ reason: 'expired', event: { type: 'note', n: 1 } });
  await ref.deliver({ type: 'note', n: 2 }, WAIT);
  expect(await seenBy(ref)).toEqual([2]);
  expect(runtime.deadLetters.list()).toHaveLength(1);
});

test('an event larger than warnBytes is warned of once, one larger than maxBytes refused', async () => {
  const logged: string[] = [];
  const warn = (_fields: object, message: string): void => void logged.push(message);
  const logger: Logger = { debug() {}, info() {}, warn, error: warn };
  const mailbox = { warnBytes: 1000, maxBytes: 5000 };
  const runtime = await start({ agents: { counter: fixture('counter', { mailbox }) } }, { logger });
  const ref = await runtime.spawn('counter');
  const warned: unknown[] = [];
  runtime.on('warning', (warning) => warned.push(warning));
  for (const size of [10, 2000, 3000, 2000])
    await ref.deliver({ type: 'inc', payload: 'x'.repeat(size) }, WAIT);
  await expect(ref.deliver({ type: 'inc', payload: 'x'.repeat(6000) })).rejects.toMatchObject({
    code: 'MESSAGE_TOO_LARGE',
  });
  expect(warned).toMatchObject([{ address: ref.address, type: 'inc' }]);
  expect(logged.filter((line) => line.includes('warnBytes'))).toHaveLength(1);
  expect(runtime.deadLetters.list().map(({ reason }) => reason)).toEqual(['too-large']);
  expect(await ref.ask({ type: 'read' }, WAIT)).toBe(4);
});

test('the failure of one instance neither drops nor doubles what is under way to the others', async () => {
  const runtime = await start({
    agents: {
      process: fixture('process'),
      counter: fixture('counter', { supervision: { backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 } } }),
    },
  });
  const [left, failing, right] = [
    await runtime.spawn('process'),
    await runtime.spawn('counter'),
    await runtime.spawn('process'),
  ];
  const incs: Promise<unknown>[] = [];
  for (const n of numbers(300)) {
    left.send({ type: 'note', n });
    incs.push(n % 100 === 50 ? failing.deliver({ type: 'fail' }) : failing.deliver({ type: 'inc' }));
    right.send({ type: 'note', n });
  }
  const outcomes = await Promise.allSettled(incs);
  expect(await seenBy(left)).toEqual(numbers(300));
  expect(await seenBy(right)).toEqual(numbers(300));
  // Those that fail were handled; what came after is for the next incarnation.
  expect(outcomes.map(({ status }) => status)).toEqual(Array(300).fill('fulfilled'));
  expect(await failing.ask({ type: 'read' }, WAIT)).toBe(49);
  expect(failing.incarnation).toBe(4);
  expect(runtime.deadLetters.list()).toEqual([]);
});

test('a thread that forges acks answers nobody of another pool, and settles nothing that it was not sent', async () => {
  const runtime = await start({
    agents: {
      forging: fixture('forging', { threadId: 'evil' }),
      good: fixture('deferring'),
    },
  });
  const [evil, good] = [await runtime.spawn('forging'), await runtime.spawn('good')];
  const ask = good.ask({ type: 'defer' }, WAIT);
  const delivered = good.deliver({ type: 'spin', ms: 100 }, WAIT);
  const tags = numbers(40).flatMap((n) => [n, -n]);
  const errors = tags.flatMap((tag) => [tag, { name: 'Error', message: 'forged' }]);
  // Each has the form of an ack, and none says anything true.
  const forged: unknown[] = [
    [[0, 1000, 1, 7, -1, 3], tags, tags.map(() => 'forged'), errors, tags.flatMap((tag) => [0, tag])],
    [[], [], [], [], [], [1, 'x']],
    [[0, 0]],
  ];
  for (const ack of forged) await evil.deliver({ type: 'forge', ack }, WAIT);
  await delivered;
  good.send({ type: 'answer', value: 'the true one' });
  expect(await ask).toBe('the true one');
  expect(await good.ask({ type: 'read' }, WAIT)).toEqual(['defer']);
  for (const n of numbers(40)) expect(await evil.ask({ type: 'ask', n }, WAIT)).toBe(n);
});
