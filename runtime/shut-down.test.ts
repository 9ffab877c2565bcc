import { expect, test } from 'vitest';
import { systemClock as clock } from './clock.ts';
import { shutDown } from './shut-down.ts';

const never = (): Promise<void> => new Promise(() => {});

test('secrets and threads end though what is to be flushed hangs', async () => {
  const ended: string[] = [];
  const end = (what: string) => async (): Promise<void> => void ended.push(what);
  const gaveUp = (): void => void ended.push('gave up');
  const [stopSecrets, stopThreads] = [end('secrets'), end('threads')];
  const instances = (): [] => [];
  await shutDown(100, {
    clock,
    drained: end('drain')(),
    instances,
    flush: never,
    stopSecrets,
    stopThreads,
    gaveUp,
  });
  expect(ended).toEqual(['drain', 'secrets', 'threads']);
});

test('a provider of secrets that does not close is not waited for, and is no thread that does not end', async () => {
  const ended: string[] = [];
  const stopThreads = async (): Promise<void> => void ended.push('threads');
  const gaveUp = (): void => void ended.push('gave up');
  const [drained, instances, flush] = [Promise.resolve(), (): [] => [], async () => {}];
  await shutDown(100, { clock, drained, instances, flush, stopSecrets: never, stopThreads, gaveUp });
  expect(ended).toEqual(['threads']);
});
