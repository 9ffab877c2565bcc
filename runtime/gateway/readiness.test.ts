import { expect, onTestFinished, test, vi } from 'vitest';
import type { RuntimeStatus } from '../telling/status.ts';
import { ReadinessProbe } from './readiness.ts';

const status = { state: 'running', pools: [], secrets: [] } as unknown as RuntimeStatus;

/** Keeps the event loop busy, for longer than a tick of the probe. */
function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test('what kept the event loop busy is told to each that asks, and over after two windows', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const probe = new ReadinessProbe();
  onTestFinished(() => probe.stop());
  const p99 = (): number => probe.look(status).eventLoop.p99Ms;
  await expect
    .poll(() => {
      block(60);
      return p99();
    })
    .toBeGreaterThan(30);
  // Whoever asks takes nothing from the next.
  const seen = p99();
  for (let n = 0; n < 5; n += 1) expect(p99()).toBeGreaterThanOrEqual(seen);
  vi.advanceTimersByTime(5000);
  expect(p99()).toBeGreaterThanOrEqual(seen);
  vi.advanceTimersByTime(5000);
  expect(p99()).toBeLessThan(seen);
  await expect
    .poll(() => {
      block(60);
      return p99();
    })
    .toBeGreaterThan(30);
  probe.begin();
  expect(p99()).toBe(0);
});

test('while the store under every turn fails, or another process has it, a gateway is not ready, and says how it does', () => {
  const probe = new ReadinessProbe();
  onTestFinished(() => probe.stop());
  const look = (store: Pick<NonNullable<RuntimeStatus['store']>, 'state'>) =>
    probe.look({ ...status, store } as RuntimeStatus);
  expect(look({ state: 'ok' })).toMatchObject({ ready: true });
  expect(look({ state: 'ok' })).not.toHaveProperty('store');
  for (const state of ['failing', 'locked'] as const)
    expect(look({ state })).toMatchObject({ ready: false, store: { state } });
});
