import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const page = readFileSync(join(root, 'docs', 'threat-model.md'), 'utf8');
const rows = [...page.matchAll(/^\|.*\| `([^`]+\.test\.ts)`: ([^|]+) \|$/gm)].map(
  ([, file = '', name = '']) => [file, name],
);

test('the threat model names a test for each attack', () => {
  const attacks = page.split('## Attacks, and what stops them')[1]?.split('\n## ')[0] ?? '';
  expect(rows.length).toBeGreaterThan(15);
  expect(attacks.match(/^\| [A-Z]/gm)).toHaveLength(rows.length);
});

test.each(rows)('%s has the test that the threat model names: %s', (file = '', name = '') => {
  expect(readFileSync(join(root, file), 'utf8').replaceAll(/\s+/g, ' ')).toContain(name);
});
