// Writes what every thread starts with, and `holdfast/agent`, which agents import there, as one file each, over those that
// tsc wrote: two modules to find, read and link instead of a hundred. Into dist/runtime/worker, or the folder that is given.
import { threadBundle } from './thread-bundle.ts';

for (const name of ['entry', 'agent']) await bundle(name);

async function bundle(name: string): Promise<void> {
  const built = await threadBundle(`runtime/worker/${name}.ts`);
  const { output } = await built.write({
    dir: process.argv[2] ?? 'dist/runtime/worker',
    format: 'esm',
    codeSplitting: false,
    // With the sources in it: a thread with permissions cannot read them anywhere else.
    sourcemap: true,
    comments: { legal: true, annotation: false, jsdoc: false },
  });
  await built.close();

  // What is imported when it is needed stands in the same file, which then has itself among its imports.
  const own = new Set(output.map(({ fileName }) => fileName));
  // XState is the app's, and its agents import it too. Anything else could not be read in a thread with permissions.
  const foreign = output
    .flatMap((file) => (file.type === 'chunk' ? file.imports.concat(file.dynamicImports) : []))
    .filter((one) => !one.startsWith('node:') && one !== 'xstate' && !own.has(one));
  if (foreign.length > 0) {
    throw new Error(
      `${name}.js, which threads load, imports ${foreign.join(', ')}; it may import xstate and node: only, and bundles comlink`,
    );
  }
}
