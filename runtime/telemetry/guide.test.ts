import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fixture, start } from '../fixtures/start.ts';
import * as attributes from './attributes.ts';
import { collectMetrics } from './fixtures/meter-provider.ts';

const guide = readFileSync(new URL('../../docs/telemetry.md', import.meta.url), 'utf8');

test('the guide lists every metric with its unit, and no other', async () => {
  const fake = collectMetrics();
  await start({ agents: { counter: fixture('counter') } });
  const rows = [...guide.matchAll(/^\| `(holdfast\.[\w.]+)` \| [a-z- ]*counter \| `([^`]+)` \|/gm)];
  const made = [...fake.instruments].map(([name, options]) => [name, options?.unit]);
  expect(rows.map(([, name, unit]) => [name, unit])).toEqual(made);
});

test('the guide lists every attribute', () => {
  const { AGENT, ADDRESS, POOL, THREAD, REASON, ERROR_TYPE, OTHER } = attributes;
  for (const name of [AGENT, ADDRESS, POOL, THREAD, REASON, ERROR_TYPE, OTHER]) {
    expect.soft(guide, name).toContain(`\`${name}\``);
  }
});
