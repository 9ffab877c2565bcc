import { expect, it } from 'vitest';
import { HoldfastError } from '../base/errors.ts';
import type { AgentRef } from '../instance/agent-ref.ts';
import { Answers, type AnswersOptions } from './answers.ts';
import type { CallWait } from './node-server.ts';
import { Wants } from './wants.ts';

/** What one node is asked, with instances that note what they are asked, and for how long. */
function rig(options: Partial<AnswersOptions> = {}) {
  const asked: unknown[] = [];
  const ref = (address: string): AgentRef =>
    ({
      ask: async (_event: unknown, { timeoutMs }: CallWait) => void asked.push([address, timeoutMs]),
      resume: async () => void asked.push([address, 'resumed']),
    }) as unknown as AgentRef;
  const time = { now: 0 };
  const answers = new Answers({
    clock: { now: () => time.now },
    get: ref,
    reach: async (address) => ref(address),
    nudged: async () => {},
    open: () => Promise.reject(new Error('it comes from nowhere else')),
    spawn: async (agent, id) => ref(`${agent}/${id}`),
    getOrSpawn: async (agent, id) => ref(`${agent}/${id}`),
    find: async (address) => ({ address }),
    figures: () => undefined,
    keep: async () => undefined,
    keepStream: () => undefined,
    scrub: (value) => value,
    isAway: () => false,
    ...options,
  });
  const { signal } = new AbortController();
  const wait: CallWait = { timeoutMs: 1000, signal, write: async () => {}, again() {}, wants: new Wants() };
  const ask = (address: string): Promise<unknown> =>
    answers.answer({ kind: 'ask', address, value: { type: 'total' } }, wait);
  return { answers, asked, ask, ref, time, wait };
}

it('what is asked after word of rows waits until they have been looked for, and nobody else does', async () => {
  const looked = Promise.withResolvers<void>();
  const { answers, asked, ask, time } = rig({ nudged: () => looked.promise });
  answers.nudged('account/a');
  const behind = ask('account/a');
  await ask('account/b');
  await new Promise((resolve) => setImmediate(resolve));
  expect(asked).toEqual([['account/b', 1000]]);
  time.now = 400;
  looked.resolve();
  await behind;
  expect(asked).toEqual([
    ['account/b', 1000],
    ['account/a', 600],
  ]);
});

it('is done although the rows could not be looked for', async () => {
  const { answers, asked, ask } = rig({ nudged: () => Promise.reject(new Error('the store is away')) });
  answers.nudged('account/a');
  await ask('account/a');
  expect(asked).toEqual([['account/a', 1000]]);
});

it('asks nobody whose time was up before its instance was there', async () => {
  const reached = Promise.withResolvers<AgentRef>();
  const { asked, ask, ref, time } = rig({ get: () => undefined, reach: () => reached.promise });
  const late = ask('account/a');
  time.now = 1000;
  reached.resolve(ref('account/a'));
  await expect(late).rejects.toMatchObject({ code: 'ASK_TIMEOUT' });
  expect(asked).toEqual([]);
});

it('resumes an instance whose quarantine is found when it is reached', async () => {
  const quarantined = new HoldfastError('AGENT_QUARANTINED', 'it failed too often');
  let isThere = false;
  const { answers, asked, ref, wait } = rig({
    get: (address) => (isThere ? ref(address) : undefined),
    reach: () => {
      isThere = true;
      return Promise.reject(quarantined);
    },
    spawn: () => Promise.reject(quarantined),
  });
  await answers.answer({ kind: 'resume', address: 'account/a' }, wait);
  expect(asked).toEqual([['account/a', 'resumed']]);
  await expect(answers.answer({ kind: 'spawn', address: 'account/a' }, wait)).rejects.toBe(quarantined);
});

it('tells an instance where an event comes from: the agent that asks, its trace, and how many asks led to it', async () => {
  const opened: unknown[] = [];
  const { answers, asked, wait } = rig({ open: async (...given) => void opened.push(given) });
  const origin = { from: 'errand/a', headers: { traceparent: '00-1-2-01' } };
  const call = { address: 'account/a', value: { type: 'total' }, origin, depth: 3 };
  await answers.answer({ kind: 'ask', ...call }, wait);
  await answers.answer({ kind: 'deliver', ...call }, wait);
  const given = { timeoutMs: 1000, signal: wait.signal, origin, depth: 3 };
  expect(opened).toEqual([
    ['account/a', 'ask', { type: 'total' }, given],
    ['account/a', 'delivery', { type: 'total' }, given],
  ]);
  // What is kept by its id is the program's own.
  await answers.answer({ kind: 'ask', ...call, id: 'once' }, wait);
  expect([opened.length, asked.length]).toEqual([2, 1]);
});
