import { expect, test } from 'vitest';
import { loadConfig } from '../config/load.ts';
import type { RuntimeConfig } from '../config/schema.ts';
import { fixture } from '../fixtures/start.ts';
import { changeOf } from './config-change.ts';

const base = {
  agents: {
    a: fixture('counter', { threadId: 'one', maxThreads: 2 }),
    b: fixture('counter', { threadId: 'two', maxThreads: 2, placement: { key: true } }),
  },
} satisfies RuntimeConfig;
const { a, b } = base.agents;
const one = (settings: object): object => ({ ...base, threads: { one: settings } });
const [limits, isolation] = [{ maxOldGenerationSizeMb: 64 }, 'thread+permissions'];

test.for<[string, object, string]>([
  ['nothing', base, 'nothing'],
  ['tokens and limits', { ...base, gateway: { requestsPerSecond: 5, requestTimeoutMs: 99 } }, 'applied'],
  ['another port', { ...base, gateway: { port: 1 } }, 'restarted'],
  ['more threads', { agents: { a: { ...a, maxThreads: 3 }, b } }, 'rolled one'],
  ['fewer threads', { agents: { a: { ...a, maxThreads: 1 }, b } }, 'restarted'],
  ['more threads where a key leads to one', { agents: { a, b: { ...b, maxThreads: 3 } } }, 'restarted'],
  [
    'what a thread starts with',
    one({ minThreads: 1, env: { A: '1' }, resourceLimits: limits }),
    'rolled one',
  ],
  ['what a thread may do', one({ isolation }), 'restarted'],
  ['which memory it shares', one({ sharedMemory: true }), 'restarted'],
  ['an agent', { agents: { a: { ...a, mailbox: { capacity: 5 } }, b } }, 'restarted'],
  [
    'the tools of an agent',
    { agents: { a: { ...a, mcp: { docs: { command: 'node', tools: { allow: ['*'] } } } }, b } },
    'restarted',
  ],
  ['another agent', { agents: { a } }, 'restarted'],
  ['an agent of another pool', { agents: { a: { ...a, threadId: 'three' }, b } }, 'restarted'],
  [
    'a pool and an agent',
    { ...one({ minThreads: 1 }), agents: { a: { ...a, mirror: 'all' }, b } },
    'restarted',
  ],
  ['a pool and a limit', { ...one({ minThreads: 1 }), gateway: { requestTimeoutMs: 9 } }, 'rolled one'],
])('%s', async ([, changed, wanted]) => {
  const change = changeOf(await loadConfig(base), await loadConfig(changed));
  const pools = change.kind === 'rolled' ? change.pools.map(({ threadId }) => threadId) : [];
  expect([change.kind, ...pools].join(' ')).toBe(wanted);
});
