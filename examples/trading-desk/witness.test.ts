import { expect, test } from 'vitest';
import { createRecord } from './record.ts';
import { createWitness } from './witness.ts';

function start() {
  const record = createRecord();
  const trouble: string[] = [];
  return { record, trouble, witness: createWitness(record, (line) => trouble.push(line)) };
}

test('every log line is kept, and only trouble is shown', () => {
  const { record, trouble, witness } = start();
  witness.logger.debug({ a: 1 }, 'quiet');
  witness.logger.info({ b: 2 }, 'also quiet');
  witness.logger.warn({ c: 'planted' }, 'look here');
  witness.logger.error({ error: new Error('planted too') }, 'broken');
  expect(trouble).toEqual(['look here', 'broken']);
  expect(record.counts()).toEqual(new Map([['log', 4]]));
  expect(record.entries.map(({ text }) => text).join()).toContain('planted too');
});

test('what a ref emits and what it is asked for is kept with its address', async () => {
  const { record, witness } = start();
  let emit: (event: unknown) => void = () => {};
  witness.watch({
    address: 'trading-agent/MSFT',
    on: (_, handler) => (emit = handler),
    snapshot: async () => ({ context: { ticks: 7 } }),
  });
  emit({ type: 'order' });
  await witness.sample();
  expect(record.entries).toEqual([
    { kind: 'event', text: '{"from":"trading-agent/MSFT","event":{"type":"order"}}' },
    { kind: 'snapshot', text: '{"of":"trading-agent/MSFT","snapshot":{"context":{"ticks":7}}}' },
  ]);
});

test('notices of every type and the status of the runtime are kept', async () => {
  const { record, witness } = start();
  const listeners = new Map<string, (notice: unknown) => void>();
  witness.watchRuntime({
    on: (type: string, listener: (notice: never) => void) =>
      listeners.set(type, listener as (notice: unknown) => void),
    status: () => ({ deadLetters: 0 }),
  });
  for (const [type, listener] of listeners) listener({ about: type });
  await witness.sample();
  expect([...listeners.keys()]).toEqual([
    'dead-letter',
    'thread',
    'agent',
    'escalation',
    'secret',
    'warning',
  ]);
  expect(record.counts()).toEqual(
    new Map([
      ['notice', 6],
      ['status', 1],
    ]),
  );
});

test('a snapshot that cannot be had fails the sample', async () => {
  const { witness } = start();
  witness.watch({
    address: 'a/1',
    on: () => {},
    snapshot: async () => await Promise.reject(new Error('gone')),
  });
  await expect(witness.sample()).rejects.toThrow('gone');
});
