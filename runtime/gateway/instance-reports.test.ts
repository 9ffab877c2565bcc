import { expect, test } from 'vitest';
import { InstanceReports } from './instance-reports.ts';
import { KnownInstances, NAMED } from './known-instances.ts';
import type { InstancesChanged } from './messages.ts';

/** What a process tells, and what the front knows by it. */
function line() {
  const known = new KnownInstances();
  const told: InstancesChanged[] = [];
  const tell = (changed: InstancesChanged): void => {
    told.push(changed);
    known.told(changed);
  };
  const reports = new InstanceReports(tell, (address) => address.startsWith('kept/'));
  const begin = (address: string): void => reports.record({ address, incarnation: 1, state: 'running' });
  const end = (address: string): void => reports.record({ address, incarnation: 1, state: 'ended' });
  return { known, told, reports, begin, end };
}

test('what changes within a moment is one report, and the first is told at once', async () => {
  const { known, told, begin } = line();
  for (const address of ['a/1', 'a/2']) begin(address);
  expect(told).toEqual([]);
  await Promise.resolve();
  expect(told).toEqual([{ type: 'instances', begun: ['a/1', 'a/2'], ended: [], count: 2, lasting: 0 }]);
  for (const address of ['a/3', 'a/4', 'a/3']) begin(address);
  await Promise.resolve();
  expect(told).toHaveLength(1);
  await expect.poll(() => known.count).toBe(4);
  expect(told).toHaveLength(2);
});

test('names are told of a thousand, and of others as those end', async () => {
  const { known, told, begin, end } = line();
  for (let n = 0; n < NAMED + 500; n += 1) begin(`a/${n}`);
  await expect.poll(() => known.count).toBe(NAMED + 500);
  for (let n = 0; n < 300; n += 1) end(`a/${n}`);
  begin('a/late');
  await expect.poll(() => known.count).toBe(NAMED + 201);
  const { count, instances } = known.lost(new Set());
  expect([count, instances.length]).toEqual([NAMED + 201, NAMED - 299]);
  expect(instances).toContain('a/late');
  expect(Math.max(...told.map(({ begun }) => begun.length))).toBeLessThanOrEqual(NAMED);
});

test('one that ends and begins again within a moment is there', async () => {
  const { known, begin, end } = line();
  begin('a/1');
  await Promise.resolve();
  for (const change of [end, begin]) change('a/1');
  begin('a/2');
  await expect.poll(() => known.count).toBe(2);
  expect(known.lost(new Set(['a/2']))).toEqual({ count: 1, instances: ['a/1'], again: ['a/2'] });
});

test('one that outlives the process is counted and no loss', async () => {
  const { known, begin, end } = line();
  for (const address of ['a/1', 'kept/1', 'kept/2']) begin(address);
  await Promise.resolve();
  expect([known.count, known.lost(new Set())]).toEqual([3, { count: 1, instances: ['a/1'], again: [] }]);
  for (const address of ['a/1', 'kept/1']) end(address);
  await expect.poll(() => known.count).toBe(1);
  expect(known.lost(new Set())).toEqual({ count: 0, instances: [], again: [] });
});

test('one that begins and ends within a moment is not', async () => {
  const { known, begin, end } = line();
  begin('a/1');
  await Promise.resolve();
  for (const change of [begin, end]) change('a/2');
  begin('a/3');
  await expect.poll(() => known.lost(new Set()).instances).toEqual(['a/1', 'a/3']);
});

test('nothing is told of what ends with the process itself', async () => {
  const { told, begin, end, reports } = line();
  begin('a/1');
  await Promise.resolve();
  end('a/1');
  reports.end();
  await new Promise((resolve) => setImmediate(resolve));
  expect(told).toHaveLength(1);
});
