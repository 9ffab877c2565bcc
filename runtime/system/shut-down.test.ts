import { expect, test } from 'vitest';
import { systemClock as clock } from '../base/clock.ts';
import { shutDown } from './shut-down.ts';

const never = (): Promise<void> => new Promise(() => {});

test('secrets and threads end though what is to be flushed hangs', async () => {
  const ended: string[] = [];
  const end = (what: string) => async (): Promise<void> => void ended.push(what);
  const warn = (_fields: object, message: string): void => void ended.push(message);
  const [stopSecrets, stopThreads] = [end('secrets'), end('threads')];
  const instances = (): [] => [];
  await shutDown(100, {
    clock,
    drained: end('drain'),
    instances,
    threads: () => [],
    endThread: () => {},
    committed: never,
    giveUpCommits: () => void ended.push('commits'),
    flush: never,
    stopSecrets,
    stopThreads,
    warn,
  });
  expect(ended).toEqual(['drain', 'commits', 'commits', 'secrets', 'threads']);
});

test('a provider of secrets that does not close is not waited for, and is no thread that does not end', async () => {
  const ended: string[] = [];
  const stopThreads = async (): Promise<void> => void ended.push('threads');
  const warn = (_fields: object, message: string): void => void ended.push(message);
  const [nobody, nothing, endThread] = [(): [] => [], async () => {}, () => {}];
  const rest = {
    drained: nothing,
    instances: nobody,
    threads: nobody,
    endThread,
    flush: nothing,
    committed: nothing,
    giveUpCommits: endThread,
  };
  await shutDown(100, { ...rest, clock, stopSecrets: never, stopThreads, warn });
  expect(ended).toEqual(['threads']);
});
