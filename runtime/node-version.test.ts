import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { enoughNode } from './node-version.ts';

test('a Node that is too old is told which one it takes, as the package says', () => {
  expect(`>=${/Node ([\d.]+)/.exec(enoughNode('20.20.2') ?? '')?.[1]}`).toBe(manifest.engines.node);
  expect(enoughNode('22.17.1')).toContain('22.17.1');
  for (const version of ['22.18.0', '23.0.0', '24.21.0']) expect(enoughNode(version)).toBeUndefined();
});
