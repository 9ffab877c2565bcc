import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fixture, start } from '../fixtures/start.ts';
import * as attributes from './attributes.ts';
import * as genAi from './gen-ai.ts';
import { collectMetrics } from './fixtures/meter-provider.ts';

const guide = readFileSync(new URL('../../docs/telemetry.md', import.meta.url), 'utf8');

test('the guide lists every metric with its unit, and no other', async () => {
  const fake = collectMetrics();
  await start({ agents: { counter: fixture('counter') } });
  const rows = [
    ...guide.matchAll(
      /^\| `([a-z_]+\.[\w.]+)` \| (?:[a-z- ]*counter|[a-z ]*gauge|histogram) \| `([^`]+)` \|/gm,
    ),
  ];
  const made = [...fake.instruments].map(([name, options]) => [name, options?.unit]);
  expect(rows.map(([, name, unit]) => [name, unit])).toEqual(made);
});

test('the guide lists every attribute', () => {
  const { SCOPE: _scope, ...rest } = attributes;
  const names = Object.values({ ...rest, ...genAi }).filter((value) => typeof value === 'string');
  expect(names.length).toBeGreaterThan(10);
  for (const name of names) {
    expect.soft(guide, name).toContain(`\`${name}\``);
  }
});
