import { expect, test } from 'vitest';
import type { AgentConfig, AgentRef, Logger } from 'holdfast';
import { fixture, start } from '../fixtures/start.ts';

const WAIT = { timeoutMs: 8000 };

function logging(): { logger: Logger; logged: string[] } {
  const logged: string[] = [];
  const log = (_fields: object, message: string): void => void logged.push(message);
  return { logged, logger: { debug() {}, info() {}, warn: log, error: log } };
}

async function one(config: Partial<AgentConfig> = {}) {
  const { logger, logged } = logging();
  const agents = { agent: fixture('deferring', config) };
  const runtime = await start({ agents }, { logger });
  const ref = await runtime.spawn('agent', { id: 'one' });
  return { runtime, ref, logged };
}

/** Asks, and makes sure that the instance has put the ask off. */
async function putOff(ref: AgentRef, options: { timeoutMs?: number; signal?: AbortSignal } = WAIT) {
  const ask = ref.ask({ type: 'defer' }, options);
  ask.catch(() => {});
  await ref.deliver({ type: 'note' });
  return { ask };
}

test('an ask that is put off is answered in a later turn, each with its own answer', async () => {
  const { ref } = await one();
  const first = await putOff(ref);
  const second = await putOff(ref);
  ref.send({ type: 'answer', value: { n: 1 } });
  expect(await first.ask).toEqual({ n: 1 });
  ref.send({ type: 'answer', value: 2 });
  expect(await second.ask).toBe(2);
});

test('an ask that is put off may be answered in the same turn, and after a timer', async () => {
  const { ref } = await one();
  expect(await ref.ask({ type: 'defer.here' }, WAIT)).toBe('in the same turn');
  expect(await ref.ask({ type: 'defer.timed' }, WAIT)).toBe('after a timer');
  expect(await ref.ask({ type: 'tokens' }, WAIT)).toEqual([]);
});

test('an ask that is put off by a reducer is answered by it', async () => {
  const { ref } = await one({ export: 'reducer' });
  const { ask } = await putOff(ref);
  ref.send({ type: 'answer', value: 'by a reducer' });
  expect(await ask).toBe('by a reducer');
});

test('a second answer is ignored and logged', async () => {
  const { ref, logged } = await one();
  const { ask } = await putOff(ref);
  await ref.deliver({ type: 'answer.twice' });
  expect(await ask).toBe('first');
  expect(logged).toEqual(['an answer was ignored: the ask was answered already, or is over']);
});

test('a token is plain data that lives in context and comes back from persist', async () => {
  const { ref } = await one();
  const { ask } = await putOff(ref);
  const { snapshot } = await ref.persist();
  const { context } = snapshot as { context: { tokens: unknown[] } };
  const [token] = context.tokens;
  expect(token).toMatchObject({ type: 'holdfast.reply', address: 'agent/one', incarnation: 1 });
  expect(JSON.parse(JSON.stringify(token))).toEqual(token);
  ref.send({ type: 'answer', value: 'still' });
  expect(await ask).toBe('still');
});

test('a token of an instance that was stopped answers nobody, though another continues from its snapshot', async () => {
  const { runtime, ref, logged } = await one();
  const { ask } = await putOff(ref);
  const snapshot = await ref.persist();
  await ref.stop();
  await expect(ask).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
  const next = await runtime.spawn('agent', { id: 'one', snapshot });
  const { ask: other } = await putOff(next);
  await next.deliver({ type: 'answer', value: 'for nobody' });
  expect(logged.filter((line) => line.startsWith('an answer was ignored'))).toHaveLength(1);
  next.send({ type: 'answer', value: 'for the other' });
  expect(await other).toBe('for the other');
});

test('a token of an earlier process answers nobody, though everything has the same name there', async () => {
  const first = await one();
  await putOff(first.ref);
  const snapshot = await first.ref.persist();
  await first.runtime.stop();
  const second = await start({ agents: { agent: fixture('deferring') } });
  const ref = await second.spawn('agent', { id: 'one', snapshot });
  const { ask } = await putOff(ref);
  await ref.deliver({ type: 'answer', value: 'for nobody' });
  ref.send({ type: 'answer', value: 'for this one' });
  expect(await ask).toBe('for this one');
});

test('a token of an earlier incarnation is ignored and logged', async () => {
  const { ref, logged } = await one({
    supervision: { backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 } },
  });
  const { ask } = await putOff(ref);
  await ref.deliver({ type: 'keep' });
  ref.send({ type: 'fail' });
  await expect(ask).rejects.toThrow('failed with asks put off');
  const { ask: next } = await putOff(ref);
  expect(ref.incarnation).toBe(2);
  await ref.deliver({ type: 'answer.earlier' });
  expect(logged).toContain('an answer was ignored: the ask is of another incarnation');
  ref.send({ type: 'answer', value: 'of this one' });
  expect(await next).toBe('of this one');
});

test.each([
  ['is stopped', (ref: AgentRef) => void ref.stop(), { code: 'AGENT_STOPPED' }],
  ['ends', (ref: AgentRef) => ref.send({ type: 'finish' }), { code: 'AGENT_STOPPED' }],
  ['fails', (ref: AgentRef) => ref.send({ type: 'fail' }), { message: 'failed with asks put off' }],
  ['loses its thread', (ref: AgentRef) => ref.send({ type: 'exit' }), { code: 'THREAD_CRASHED' }],
])(
  'asks that an instance has put off reject with the reason at once when it %s',
  async (_how, end, reason) => {
    const { ref } = await one({ supervision: { restart: 'temporary' } });
    const asks = [await putOff(ref, { timeoutMs: 60_000 }), await putOff(ref, { timeoutMs: 60_000 })];
    end(ref);
    for (const { ask } of asks) await expect(ask).rejects.toMatchObject(reason);
  },
);

test('asks that a restarted instance has put off do not reject with what its earlier incarnation failed with', async () => {
  const { ref } = await one({ supervision: { backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 } } });
  ref.send({ type: 'fail' });
  const { ask } = await putOff(ref, { timeoutMs: 60_000 });
  expect(ref.incarnation).toBe(2);
  await ref.stop();
  await expect(ask).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
});

test('an ask that is put off in the very turn in which its instance ends rejects with the reason at once', async () => {
  const { runtime, ref } = await one({ supervision: { restart: 'temporary' } });
  await expect(ref.ask({ type: 'defer.fail' }, { timeoutMs: 60_000 })).rejects.toThrow(
    'failed with an ask put off',
  );
  const other = await runtime.spawn('agent', { id: 'other' });
  await expect(other.ask({ type: 'defer.finish' }, { timeoutMs: 60_000 })).rejects.toMatchObject({
    code: 'AGENT_STOPPED',
  });
});

test('an ask that ran out of time, or was given up, does not disturb those around it', async () => {
  const { ref, logged } = await one();
  const controller = new AbortController();
  // Long enough to be put off before it is over, also on a busy machine.
  const late = await putOff(ref, { timeoutMs: 1500 });
  const given = await putOff(ref, { timeoutMs: 60_000, signal: controller.signal });
  const patient = await putOff(ref);
  await expect(late.ask).rejects.toMatchObject({ code: 'ASK_TIMEOUT' });
  controller.abort(new Error('not any more'));
  await expect(given.ask).rejects.toThrow('not any more');
  const values = ['for the first', 'for the second', 'for the third'];
  for (const value of values) await ref.deliver({ type: 'answer', value });
  expect(await patient.ask).toBe('for the third');
  expect(await ref.ask({ type: 'tokens' }, WAIT)).toEqual([]);
  expect(logged).toEqual([]);
});

test('a signal that has fired keeps an ask from being sent', async () => {
  const { ref } = await one();
  const signal = AbortSignal.abort(new Error('never'));
  await expect(ref.ask({ type: 'note' }, { signal })).rejects.toThrow('never');
  expect(await ref.ask({ type: 'read' }, WAIT)).toEqual([]);
});

test('time out and cancel of asks leave the order and the answers of all others', async () => {
  const { ref } = await one();
  ref.send({ type: 'spin', ms: 60 });
  const results = await Promise.allSettled(
    Array.from({ length: 30 }, (_, n) => {
      if (n % 3 === 0) return ref.ask({ type: 'read' }, WAIT);
      const signal = n % 3 === 1 ? AbortSignal.timeout(5) : undefined;
      return ref.ask({ type: 'note' }, { timeoutMs: n % 3 === 1 ? 8000 : 5, ...(signal && { signal }) });
    }),
  );
  expect(results.filter((_, n) => n % 3 === 0).map(({ status }) => status)).toEqual(
    Array(10).fill('fulfilled'),
  );
  expect(results.filter((_, n) => n % 3 !== 0).map(({ status }) => status)).toEqual(
    Array(20).fill('rejected'),
  );
  expect(await ref.ask({ type: 'read' }, WAIT)).toBeInstanceOf(Array);
});

test('a reply that cannot be cloned is the error of its asker alone, also when it was put off', async () => {
  const { ref } = await one();
  const before = ref.ask({ type: 'read' }, WAIT);
  const bad = ref.ask({ type: 'reply.unclonable' }, WAIT);
  const after = ref.ask({ type: 'read' }, WAIT);
  await expect(bad).rejects.toMatchObject({ code: 'REPLY_UNCLONABLE' });
  expect(await Promise.all([before, after])).toEqual([[], []]);

  const [first, second] = [await putOff(ref), await putOff(ref)];
  ref.send({ type: 'answer.unclonable' });
  ref.send({ type: 'answer', value: 'fine' });
  await expect(first.ask).rejects.toMatchObject({ code: 'REPLY_UNCLONABLE' });
  expect(await second.ask).toBe('fine');
});

test('a reply that cannot be cloned is so too when it is told before its batch is complete', async () => {
  const { ref } = await one();
  const { ask: deferred } = await putOff(ref);
  const all: Promise<unknown>[] = [];
  for (let n = 0; n < 30; n++) {
    ref.send({ type: 'spin', ms: 2 });
    all.push(ref.ask({ type: n % 2 === 0 ? 'reply.unclonable' : 'read' }, WAIT));
    if (n === 10) ref.send({ type: 'answer.unclonable' });
  }
  const results = await Promise.allSettled(all);
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(15);
  const refused = results.filter((_, n) => n % 2 === 0);
  expect(refused).toMatchObject(refused.map(() => ({ reason: { code: 'REPLY_UNCLONABLE' } })));
  await expect(deferred).rejects.toMatchObject({ code: 'REPLY_UNCLONABLE' });
});
