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

test('a node of a cluster that has no partitions is not ready; one that does not reach others is, and says which', () => {
  const probe = new ReadinessProbe();
  onTestFinished(() => probe.stop());
  const look = (partitions: number) => {
    const at = '127.0.0.1:7700';
    const nodes = [
      { node: 0, at, partitions: 64 - partitions, reachable: false },
      { node: 1, at, partitions, reachable: true },
    ];
    return probe.look({ ...status, cluster: { node: 1, nodes } });
  };
  expect(look(32)).toMatchObject({ ready: true, cluster: { node: 1, partitions: 32, unreachable: [0] } });
  expect(look(0)).toMatchObject({ ready: false, cluster: { partitions: 0 } });
  expect(probe.look(status)).not.toHaveProperty('cluster');
});
