import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** Every file that `entry` leads to by imports of files. */
function reached(entry: string): Set<string> {
  const seen = new Set<string>();
  const open = [new URL(`../${entry}`, import.meta.url).href];
  while (open.length > 0) {
    const file = open.pop() as string;
    if (seen.has(file)) continue;
    seen.add(file);
    const source = readFileSync(new URL(file), 'utf8');
    for (const [, path = ''] of source.matchAll(/^(?:import|export|\}) (?:.*from )?'(\.[^']+)'/gm))
      open.push(new URL(path, file).href);
  }
  return seen;
}

const kit = (files: ReadonlySet<string>): string[] => [...files].filter((file) => file.includes('/testing/'));

test.each(['index.ts', 'worker/entry.ts', 'worker/agent.ts', 'config/index.ts', 'cluster/index.ts'])(
  'production does not load the test kit: %s',
  (entry) => {
    const files = reached(entry);
    expect(files.size).toBeGreaterThan(2);
    expect(kit(files)).toEqual([]);
  },
);

test.each(['index.ts', 'worker/entry.ts', 'testing/index.ts', 'config/index.ts'])(
  'who is alone loads nothing of a cluster: %s',
  (entry) => {
    const ofCluster = (files: ReadonlySet<string>) => [...files].filter((file) => file.includes('/cluster/'));
    expect(ofCluster(reached(entry))).toEqual([]);
    expect(ofCluster(reached('cluster/index.ts')).length).toBeGreaterThan(5);
  },
);

test('the test kit is found where it is loaded', () => {
  expect(kit(reached('testing/index.ts')).length).toBeGreaterThan(10);
});
