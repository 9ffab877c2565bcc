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
  expect(text).toMatch(/^chatty +each turn +25 +2500\.0 +the whole state/m);
  expect(text).toMatch(/^quiet +each turn +the whole state/m);
  expect(heavyTexts([chatty, { ...chatty, agent: 'quiet', heavy: false }])).toEqual([
    expect.stringMatching(/^chatty commits a state of more than 64 KiB more than 20 times a second/),
  ]);
});
