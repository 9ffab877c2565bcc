// Preloaded by the processes and threads that tests start: gives Node the project's TypeScript without its types, as
// strip-types.ts has kept it. Stripping them costs a thread more than everything else that it starts with. What was not
// kept, or has changed since, Node strips itself.
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { bundled, bundleOf, freshPrograms, isOf, kept, root } from './kept-files.mjs';

/** What a thread gets as one file, as threads of the package do: a hundred modules cost more than all else that it does. */
const whole = new Set(isMainThread ? [] : bundled.map((name) => root + name));

/** A gateway gets a dozen files. Other programs of the tests import what they like, and all of it must be there once. */
const isGateway = /\/runtime\/(?:cli\/main|gateway\/service-main)\.ts$/.test(process.argv[1] ?? '');
const programs = (isMainThread && isGateway && freshPrograms()) || {};

registerHooks({
  load(url, context, next) {
    if (!url.startsWith(root) || !url.endsWith('.ts')) return next(url, context);
    try {
      const program = programs[url];
      if (program !== undefined)
        return { format: 'module', source: `export * from '${program}';`, shortCircuit: true };
      const source = fileURLToPath(url);
      const bundle = whole.has(url) ? bundleOf(source) : undefined;
      if (bundle !== undefined) return { format: 'module', source: bundle, shortCircuit: true };
      const stripped = kept(source);
      if (!isOf(source, stripped)) return next(url, context);
      return { format: 'module', source: readFileSync(stripped, 'utf8'), shortCircuit: true };
    } catch {
      return next(url, context);
    }
  },
});
