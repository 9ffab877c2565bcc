// Preloaded by the processes and threads that tests start: gives Node the project's TypeScript without its types, as
// strip-types.ts has kept it. Stripping them costs a thread more than everything else that it starts with. What was not
// kept, or has changed since, Node strips itself.
import { existsSync, readFileSync } from 'node:fs';
import { enableCompileCache, registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { bundled, bundleOf, compiled, freshPrograms, isOf, kept, root } from './kept-files.mjs';

// What V8 has compiled is kept for processes by their environment, which threads do not have.
if (!isMainThread) enableCompileCache(compiled);

/** What a thread gets as one file, as threads of the package do: a hundred modules cost more than all else that it does. */
const whole = new Set(isMainThread ? [] : bundled.map((name) => root + name));

/**
 * In a run of the tests, what was kept as it began is what is tested: to ask of five hundred files whether they have changed
 * would cost each process a tenth of its start. While somebody watches, they do change.
 */
const isRun = new URL(import.meta.url).searchParams.has('run');

/** A gateway gets a dozen files. Other programs of the tests import what they like, and all of it must be there once. */
const isGateway = /\/runtime\/(?:cli\/main|gateway\/service-main)\.ts$/.test(process.argv[1] ?? '');
const programs = (isMainThread && isGateway && freshPrograms(isRun)) || {};

/** The files that hold sources without their types, by the URLs of the sources as they are now. */
const stripped = new Map();

function strippedOf(url) {
  const known = stripped.get(url);
  if (known !== undefined) return known;
  const source = fileURLToPath(url);
  const file = kept(source);
  if (isRun ? !existsSync(file) : !isOf(source, file)) return undefined;
  stripped.set(url, file);
  return file;
}

registerHooks({
  // Where a relative path leads needs no search, when the source is there.
  resolve(specifier, context, next) {
    if (!/^\.\.?\/.*\.ts$/.test(specifier) || !context.parentURL?.startsWith(root))
      return next(specifier, context);
    try {
      const { href } = new URL(specifier, context.parentURL);
      if (strippedOf(href) !== undefined) return { url: href, format: 'module', shortCircuit: true };
    } catch {
      // The next one says what is wrong with it.
    }
    return next(specifier, context);
  },
  load(url, context, next) {
    if (!url.startsWith(root) || !url.endsWith('.ts')) return next(url, context);
    try {
      const program = programs[url];
      if (program !== undefined)
        return { format: 'module', source: `export * from '${program}';`, shortCircuit: true };
      const bundle = whole.has(url) ? bundleOf(fileURLToPath(url), isRun) : undefined;
      if (bundle !== undefined) return { format: 'module', source: bundle, shortCircuit: true };
      const file = strippedOf(url);
      if (file === undefined) return next(url, context);
      return { format: 'module', source: readFileSync(file, 'utf8'), shortCircuit: true };
    } catch {
      return next(url, context);
    }
  },
});
