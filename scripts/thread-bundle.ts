import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown, type RolldownBuild } from 'rolldown';

/** Bundles a file that threads load with everything it imports from here, and comlink. */
export function threadBundle(input: string): Promise<RolldownBuild> {
  return rolldown({
    cwd: fileURLToPath(new URL('../', import.meta.url)),
    input,
    platform: 'node',
    // Of comlink the ES module, so that only what is used of it comes along.
    resolve: { mainFields: ['module', 'main'] },
    external: (id) => !(id.startsWith('.') || isAbsolute(id) || id === 'comlink'),
  });
}
