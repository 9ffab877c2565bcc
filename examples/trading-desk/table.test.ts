import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { type AgentRow, agentTable } from './table.ts';

const trading: AgentRow = {
  agent: 'trading-agent',
  instances: 8,
  threads: 8,
  maxThreads: 8,
  events: 125_036,
  busyMs: 4000,
  restarts: 0,
  secrets: ['desk-key'],
  rotationSeenBy: 8,
};
const security: AgentRow = {
  agent: 'security-agent',
  instances: 4,
  threads: 4,
  maxThreads: 4,
  events: 21,
  busyMs: 0,
  restarts: 1,
  secrets: [],
  rotationSeenBy: 0,
};

test('it lines up, numbers to the right', () => {
  expect(agentTable([trading, security])).toBe(
    [
      'agent           instances  threads   events  rate/s  restarts  secrets   rotated',
      'trading-agent           8   8 of 8  125,036  31,259         0  desk-key   8 of 8',
      'security-agent          4   4 of 4       21       -         1  none            -',
    ].join('\n'),
  );
});

test('it fits a terminal of 80 columns', () => {
  for (const line of agentTable([trading, security]).split('\n')) expect(line.length).toBeLessThanOrEqual(80);
});

test('colours of the heading do not move the columns', () => {
  const coloured = agentTable([trading], (text) => `\u001B[2m${text}\u001B[22m`);
  expect(stripVTControlCharacters(coloured)).toBe(agentTable([trading]));
});

test('no colour comes from the table itself', () => {
  expect(agentTable([trading])).not.toContain('\u001B');
});
