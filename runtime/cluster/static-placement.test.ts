import { expect, it } from 'vitest';
import { partitionOf } from '../base/partition.ts';
import { testPlacement } from './fixtures/placement-cases.ts';
import { staticPlacement } from './static-placement.ts';

testPlacement({
  test: it,
  create(count) {
    const nodes = Array.from({ length: count }, (_, i) => `127.0.0.1:${7700 + i}`);
    return nodes.map((_, index) => staticPlacement({ nodes, index }));
  },
});

it('says all that is wrong with its nodes at once', () => {
  const nodes = ['10.0.0.5:7700', '10.0.0.5', 'host:0', '10.0.0.5:7700'];
  expect(() => staticPlacement({ nodes, index: 4 })).toThrow(
    expect.objectContaining({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(/nodes\[1\].*nodes\[2\].*nodes\[3\].*index/s),
    }),
  );
});

it('takes addresses of both kinds', () => {
  const nodes = ['[::1]:7700', 'agents-0.agents:7700'];
  expect(staticPlacement({ nodes, index: 0 }).nodes()).toEqual([
    { node: 0, host: '::1', port: 7700 },
    { node: 1, host: 'agents-0.agents', port: 7700 },
  ]);
});

it('an address has the partition that stores were divided by', () => {
  expect(['account/a', 'account/b', 'agent/ü%2F', ''].map(partitionOf)).toEqual([35, 36, 21, 35]);
});
