import { expect, test } from 'vitest';
import { heeding } from './heeded-reports.ts';

const microtasks = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a thread hears after every eighth report how many were taken', () => {
  const taken: unknown[] = [];
  const heard: number[] = [];
  const reports = heeding({ receive: (items) => void taken.push(items) }, (count) => heard.push(count));
  for (let n = 0; n < 17; n++) reports.receive([n]);
  expect(taken).toHaveLength(17);
  expect(heard).toEqual([8, 8]);
});

test('a report that has to wait counts when it is through', async () => {
  const waiting: (() => void)[] = [];
  const heard: number[] = [];
  const wait = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));
  const reports = heeding({ receive: wait }, (count) => heard.push(count));
  for (let n = 0; n < 8; n++) reports.receive([n]);
  await microtasks();
  expect(heard).toEqual([]);
  for (const go of waiting) go();
  await microtasks();
  expect(heard).toEqual([8]);
});

test('a report that is refused counts too', () => {
  const heard: number[] = [];
  const refuse = (): void => {
    throw new TypeError('no');
  };
  const reports = heeding({ receive: refuse }, (count) => heard.push(count));
  for (let n = 0; n < 8; n++) expect(() => reports.receive([n])).toThrow('no');
  expect(heard).toEqual([8]);
});
