import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { bundleOf, keptBundle, root } from './kept-files.mjs';

/** A source file that nobody imports, with a bundle that says it was made of `madeOf`. */
function bundled(madeOf: (source: string) => readonly [path: string, mtimeMs: number][]): string {
  const source = join(fileURLToPath(root), 'scripts/tests', `kept-${process.pid}.ts`);
  writeFileSync(source, 'export {};\n');
  const bundle = keptBundle(source);
  mkdirSync(dirname(bundle), { recursive: true });
  writeFileSync(bundle, `//${JSON.stringify(madeOf(source))}\nexport {};\n`);
  onTestFinished(() => {
    for (const file of [source, bundle]) rmSync(file);
  });
  return source;
}

const now = (path: string): [path: string, mtimeMs: number] => [path, statSync(path).mtimeMs];

test('a bundle is used for as long as no file that it was made of changes', () => {
  const source = bundled((own) => [now(own)]);
  expect(bundleOf(source)).toBe(readFileSync(keptBundle(source), 'utf8'));
  writeFileSync(source, 'export default 1;\n');
  expect(bundleOf(source)).toBeUndefined();
});

test('a bundle that came along with a copied folder, made of the files of the first one, is not used', () => {
  const source = bundled(() => [now(fileURLToPath(import.meta.url))]);
  expect(bundleOf(source)).toBeUndefined();
});
