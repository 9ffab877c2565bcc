// Writes what every thread starts with as one file, over the one that tsc wrote: one module to find, read and link
// instead of two dozen. Into dist/runtime/worker, or the folder that is given.
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const bundle = await rolldown({
  cwd: fileURLToPath(new URL('../', import.meta.url)),
  input: 'runtime/worker/entry.ts',
  platform: 'node',
  // Of comlink the ES module, so that only what is used of it comes along.
  resolve: { mainFields: ['module', 'main'] },
  external: (id) => !(id.startsWith('.') || isAbsolute(id) || id === 'comlink'),
});
const { output } = await bundle.write({
  dir: process.argv[2] ?? 'dist/runtime/worker',
  format: 'esm',
  codeSplitting: false,
  // With the sources in it: a thread with permissions cannot read them anywhere else.
  sourcemap: true,
  comments: { legal: true, annotation: false, jsdoc: false },
});
await bundle.close();

// What is imported when it is needed stands in the same file, which then has itself among its imports.
const own = new Set(output.map(({ fileName }) => fileName));
// XState is the app's, and its agents import it too. Anything else could not be read in a thread with permissions.
const foreign = output
  .flatMap((file) => (file.type === 'chunk' ? file.imports.concat(file.dynamicImports) : []))
  .filter((name) => !name.startsWith('node:') && name !== 'xstate' && !own.has(name));
if (foreign.length > 0) {
  throw new Error(
    `the entry of a thread imports ${foreign.join(', ')}; it may import xstate and node: only, and bundles comlink`,
  );
}
