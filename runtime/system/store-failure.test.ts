import { expect, onTestFinished, test, vi } from 'vitest';
import { HoldfastError } from '../base/errors.ts';
import { fixture, start } from '../fixtures/start.ts';
import { memoryDurableStore } from '../store/memory-durable-store.ts';
import { storeFailed } from './store-failure.ts';

const error = new HoldfastError('STORE_FAILED', 'no such disk; look at it');
const silent = { debug() {}, info() {}, warn() {}, error() {} };

test('a store that fails for long ends the process, after a stop, where it is to', async () => {
  const ended: unknown[] = [];
  vi.spyOn(process, 'exit').mockImplementation((code) => void ended.push(code) as never);
  vi.spyOn(process, 'kill').mockImplementation((_pid, signal) => {
    ended.push(signal);
    return true;
  });
  onTestFinished(() => void vi.restoreAllMocks());
  const stop = async (): Promise<void> => void ended.push('stopped');
  const how = { logger: silent, stop, stuck: () => [] };
  storeFailed(error, { ...how, onFailure: 'wait' });
  expect(ended).toEqual([]);
  storeFailed(error, { ...how, onFailure: 'exit' });
  await vi.waitFor(() => expect(ended).toEqual(['stopped', 1]));
  // A thread that does not end would keep the process.
  storeFailed(error, { ...how, onFailure: 'exit', stuck: () => ['holdfast:pool:1'] });
  await vi.waitFor(() => expect(ended.slice(2, 4)).toEqual(['stopped', 'SIGKILL']));
});

test('a function hears of a store that another process has, and may throw', async () => {
  const heard: unknown[] = [];
  const inner = memoryDurableStore();
  let isLocked = false;
  const store = {
    ...inner,
    commit: (...group: Parameters<typeof inner.commit>) =>
      isLocked ? Promise.reject(new HoldfastError('STORE_LOCKED', 'another has it')) : inner.commit(...group),
    onFailure(failure: HoldfastError): void {
      heard.push(failure.code);
      throw new Error('the function itself fails');
    },
  };
  const runtime = await start({ agents: { account: fixture('account') } }, { store });
  const ref = await runtime.spawn('account', { id: 'a' });
  isLocked = true;
  await expect(ref.ask({ type: 'deposit', amount: 1 })).rejects.toMatchObject({ code: 'STORE_LOCKED' });
  expect(heard).toEqual(['STORE_LOCKED']);
});
