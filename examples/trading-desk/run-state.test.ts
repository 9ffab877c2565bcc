import { expect, test } from 'vitest';
import { newRunState, runStatus, shortVersion, type RunState } from './run-state.ts';

const paint = (_: string, text: string): string => text;

function running(change: Partial<RunState>): RunState {
  return { ...newRunState(), trading: { from: 1000, to: 5000 }, keyVersions: ['aaaa'], ...change };
}

test('before trading begins nothing is claimed and no plain line is written', () => {
  const status = runStatus(newRunState(), 99, paint);
  expect(status.line).toBeUndefined();
  expect(status.lines.join('\n')).toContain('0 prices, 0 signed orders 0/s');
});

test('the rate is prices by the time traded, not by the time since the start', () => {
  const { line } = runStatus(running({ ticks: 30_000 }), 3000, paint);
  expect(line).toBe('trading 50 %: 30,000 prices, 0 signed orders, 15,000/s; key aaaa');
});

test('a run that takes longer than asked stays at 100 %', () => {
  expect(runStatus(running({}), 9000, paint).line).toContain('trading 100 %');
});

test('a rotation shows both versions and who knows', () => {
  const state = running({ keyVersions: ['aaaa', 'bbbb'], rotationSeenBy: 3, instances: 8 });
  expect(runStatus(state, 3000, paint).lines.at(-1)).toContain('aaaa -> bbbb, known to 3 of 8 traders');
});

test('the block keeps its height, so that it can be redrawn in place', () => {
  const heights = [newRunState(), running({}), running({ files: 9, filesScanned: 9, findings: 3 })].map(
    (state) => runStatus(state, 3000, paint).lines.length,
  );
  expect(new Set(heights).size).toBe(1);
});

test('a version is shortened to what tells two apart', () => {
  expect(shortVersion('f3f81e06-8f24-4f0c-9a52-0a6f3f1f5c11')).toBe('f3f81e06');
});
