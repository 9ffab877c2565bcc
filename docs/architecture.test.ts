import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { importGraph, roomOf } from '../scripts/house/import-graph.ts';
import { rulesOfRooms, shortName } from './house.fixture.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const page = read('docs/architecture.md');
const rules = rulesOfRooms(root);

/** What stands below a heading, up to the next of its level or above. */
function below(heading: string): string {
  const level = heading.indexOf(' ');
  const [, text = ''] = page.split(`\n${heading}\n`);
  return text.split(new RegExp(`\\n#{1,${level}} `))[0] ?? '';
}

/** The cells of the tables whose first column is headed so, row by row, without the heads. */
function rowsOf(text: string, ...head: readonly string[]): string[][] {
  const tables = text.split(`| ${head.join(' | ')} |\n`).slice(1);
  return tables.flatMap((table) =>
    (table.split('\n\n')[0] ?? '')
      .split('\n')
      .slice(1)
      .filter((row) => row.startsWith('|'))
      .map((row) =>
        row
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      ),
  );
}

/** The pieces of code in a text. */
function codes(text = ''): string[] {
  return Array.from(text.matchAll(/`([^`\n]+)`/g), ([, code = '']) => code);
}

/** Files and globs of files, as the page names them. */
function filesIn(text: string): string[] {
  return codes(text).filter((code) => /^[\w.*/-]+\.(?:tsx?|m?js|json|md|html)$/.test(code));
}

function isThere(name: string): boolean {
  return ['', 'runtime/'].some((folder) => globSync(`${folder}${name}`, { cwd: root }).length > 0);
}

const rooms = rowsOf(below('## Rooms'), 'room', 'what it is for', 'may import', 'types alone').map(
  ([room, , imports, types]) => ({
    room: codes(room).join(' '),
    imports: codes(imports),
    types: codes(types),
  }),
);
const names = rooms.map(({ room }) => room);
const trips = below('## Six trips')
  .split('\n### ')
  .slice(1)
  .map((text) => ({ name: text.split('\n')[0] ?? '', text }));

test('the tables of rooms have a row for each rule of the linter, and no other', () => {
  expect(new Set(names).size).toBe(names.length);
  // Parts of a room that have the rule of their room need no row.
  const own = [...rules].filter(([name, rule]) => {
    const outer = rules.get(dirname(name));
    return outer === undefined || JSON.stringify(outer) !== JSON.stringify(rule);
  });
  expect(names.toSorted()).toEqual(own.map(([name]) => name).toSorted());
});

test('each room of the tree has a row, and each row is of the tree', () => {
  const tree = [...new Set([...importGraph(root).keys()].flatMap((file) => roomOf(file) ?? []))].map(
    shortName,
  );
  expect(tree.length).toBeGreaterThan(25);
  expect(tree.filter((room) => !names.includes(room))).toEqual([]);
  expect(names.filter((room) => !isThere(room))).toEqual([]);
});

test.each(rooms)('the row of $room says what its rule says', ({ room, imports, types }) => {
  const rule = rules.get(room);
  expect(imports).toEqual(rule?.imports);
  expect(types).toEqual(rule?.types);
});

test('the table of packages is what the rules say that name packages', () => {
  const rows = rowsOf(below('## Rooms'), 'room', 'packages', 'types alone').map(([room, imports, types]) => ({
    room: codes(room).join(' '),
    imports: codes(imports),
    types: codes(types),
  }));
  const told = [...rules].flatMap(([room, { packages, packageTypes }]) =>
    packages.length + packageTypes.length === 0 ? [] : [{ room, imports: packages, types: packageTypes }],
  );
  expect(rows.toSorted(byRoom)).toEqual(told.toSorted(byRoom));
});

test('the tables go upwards: what a room imports stands above it', () => {
  const placeOf = (one: string): number => {
    const room = names.filter((name) => one === name || one.startsWith(`${name}/`)).toSorted(byLength)[0];
    return names.indexOf(room ?? '');
  };
  const wrong = rooms.flatMap(({ room, imports, types }, at) =>
    [...imports, ...types]
      .filter((one) => placeOf(one) >= at || placeOf(one) < 0)
      .map((one) => `${room}: ${one}`),
  );
  expect(wrong).toEqual([]);
});

test('every file that the page names exists', () => {
  const named = filesIn(page);
  expect(named.length).toBeGreaterThan(100);
  expect([...new Set(named)].filter((name) => !isThere(name))).toEqual([]);
});

test('every folder that the page names exists', () => {
  const named = codes(page).filter((code) => /^[\w.-]+(?:\/[\w.-]+)*\/$/.test(code));
  expect(named.length).toBeGreaterThan(10);
  expect([...new Set(named)].filter((name) => !isThere(name))).toEqual([]);
});

describe('words', () => {
  const words = rowsOf(below('## Words'), 'word', 'meaning', 'in the code');
  const places = words.flatMap(([word = '', , code = '']) => {
    const pairs = [...code.matchAll(/`(\w+)` in `([\w./-]+\.ts)`/g)];
    return pairs.length === 0
      ? [{ word, name: '', file: '' }]
      : pairs.map(([, name = '', file = '']) => ({ word, name, file }));
  });

  test('stand once each', () => {
    const all = words.flatMap(([word = '']) => word.split(', '));
    expect(all.length).toBeGreaterThan(40);
    expect(all.filter((word, at) => all.indexOf(word) !== at)).toEqual([]);
  });

  test.each(places)('$word: $name is declared in $file', ({ name, file }) => {
    const path = existsSync(join(root, file)) ? file : `runtime/${file}`;
    expect(isThere(file)).toBe(true);
    const declared = new RegExp(`\\b(?:class|const|function|interface|type) ${name}\\b`);
    expect(read(path)).toMatch(declared);
  });
});

describe.each(trips)('the trip "$name"', ({ text }) => {
  test('names a dozen files at most, each in an order', () => {
    const steps = text.match(/^\d+\. .*$/gm) ?? [];
    expect(steps.length).toBeGreaterThan(8);
    expect(steps.filter((step) => !/^\d+\. `[\w./-]+\.ts`: /.test(step))).toEqual([]);
    expect(new Set(filesIn(text)).size).toBeLessThanOrEqual(12);
  });

  test('is drawn', () => {
    const [, drawing = ''] = /^```mermaid\nsequenceDiagram\n([\s\S]*?)^```$/m.exec(text) ?? [];
    const lines = drawing.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(5);
    // A semicolon would end the line, a hash begin an entity, and the word "end" close a block.
    const known = /^ {2}\w+-{1,2}>>\w+: [^;#]+$/;
    expect(lines.filter((line) => !known.test(line) || /\bend\b/.test(line))).toEqual([]);
  });
});

test('six trips are drawn', () => {
  expect(trips).toHaveLength(6);
});

test.each(['README.md', 'CONTRIBUTING.md', 'llms.txt', 'docs/README.md'])('%s leads to the page', (from) => {
  expect(/\]\((?:docs\/)?architecture\.md\)/.test(read(from))).toBe(true);
});

function byRoom(a: { readonly room: string }, b: { readonly room: string }): number {
  return a.room < b.room ? -1 : 1;
}

function byLength(a: string, b: string): number {
  return b.length - a.length;
}
