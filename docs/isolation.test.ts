import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { agentModule, poolOf } from '../runtime/isolation/fixtures/pool.ts';
import { selfTest } from '../runtime/isolation/self-test.ts';

const page = readFileSync(new URL('./isolation.md', import.meta.url), 'utf8');
const major = process.versions.node.split('.')[0] ?? '';

/** Rows of the table of attacks, as objects by the heads of its columns. */
function tableOfAttacks(): Record<string, string>[] {
  const lines = page.split('\n').filter((line) => line.startsWith('|'));
  const at = lines.findIndex((line) => line.startsWith('| attack |'));
  const cells = (line: string): string[] =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
  const heads = cells(lines[at] ?? '').map((head) => head.replace(/^`thread\+permissions`: /, ''));
  const rows = lines.slice(at + 2).filter((line) => /^\| `[a-z0-9-]+` \|/.test(line));
  return rows.map((row) =>
    Object.fromEntries(cells(row).map((cell, n) => [heads[n] ?? '', cell.replaceAll(/[`*]/g, '')])),
  );
}

test('the functions that isolation.md names are those of the port', () => {
  const row = page.split('\n').find((line) => line.startsWith('| The host |')) ?? '';
  const source = readFileSync(new URL('../runtime/wire/protocol.ts', import.meta.url), 'utf8');
  const type = /export type HostMethod =([^;]+);/.exec(source)?.[1] ?? '';
  const named = (text: string, of: RegExp): string[] =>
    Array.from(text.matchAll(of), ([, name = '']) => name);
  expect(named(row, /`(\w+)`/g)).toEqual(named(type, /'(\w+)'/g));
  expect(row).toContain('sixteen functions');
});

test.runIf(process.platform === 'linux' && ['22', '24', '26'].includes(major))(
  'the table of isolation.md is what is found on this Node',
  async () => {
    const [plain, closed] = await Promise.all(
      (['thread', 'thread+permissions'] as const).map((isolation) =>
        selfTest(poolOf(isolation), [agentModule]),
      ),
    );
    const table = tableOfAttacks();
    expect(table.map(({ attack }) => attack)).toEqual(plain?.map(({ attack }) => attack));
    for (const [n, row] of table.entries()) {
      const attack = row['attack'];
      const found = closed?.[n]?.outcome;
      const written = row[major];
      expect
        .soft([attack, plain?.[n]?.outcome])
        .toEqual([attack, attack === 'ffi' && major < '26' ? 'not-applicable' : row['`thread`']]);
      // What Node cannot deny is not an attack there.
      expect.soft([attack, found]).toEqual([attack, written === 'closed' ? 'closed' : 'not-applicable']);
    }
  },
);
