import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { isOldNode, OLDEST_NODE } from './node-version.ts';

test('a Node that is too old is known, as the package says which one it takes', () => {
  expect(`>=${OLDEST_NODE}`).toBe(manifest.engines.node);
  for (const version of ['20.20.2', '22.17.1']) expect(isOldNode(version)).toBe(true);
  for (const version of ['22.18.0', '23.0.0', '24.21.0']) expect(isOldNode(version)).toBe(false);
});
