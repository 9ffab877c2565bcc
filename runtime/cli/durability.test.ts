import { expect, test } from 'vitest';
import type { LoadedConfig } from '../config/resolve.ts';
import { durabilityOf, durabilityText, heavyTexts, type Writes } from './durability.ts';

const config = {
  store: { type: 'sqlite', path: '/desk/data/agents.db', onFailure: 'exit' },
  agents: [{ name: 'chatty' }, { name: 'quiet' }],
} as unknown as LoadedConfig;
const chatty: Writes = {
  agent: 'chatty',
  commits: 300,
  bytes: 30_000_000,
  heavy: true,
  commitsPerSecond: 25,
  bytesPerSecond: 2_560_000,
};

test('what the agents of a gateway that runs write is told by agent, and who writes too much is named', () => {
  const agents = durabilityOf(config, [chatty]);
  const text = durabilityText(config, agents, '/desk');
  expect(text).toContain(
    'The store is data/agents.db: outlives a loss of power, not encrypted, its failure ends',
  );
  expect(text).toMatch(/^chatty +each turn +25 +2500\.0 +the state, or what has changed of a large one,/m);
  expect(text).toMatch(/^quiet +each turn +the state, or what/m);
  expect(heavyTexts([chatty, { ...chatty, agent: 'quiet', heavy: false }])).toEqual([
    expect.stringMatching(/^chatty commits more than 64 KiB of a state more than 20 times a second/),
  ]);
});

test('in a database each commit writes the whole state', () => {
  const store = { type: 'postgres', url: { id: 'desk/database' } };
  const [agent] = durabilityOf({ ...config, store } as unknown as LoadedConfig, []);
  expect(agent?.cost).toMatch(/^the whole state is written/);
});
