import { expect, test } from 'vitest';
import { systemClock as clock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Instance } from '../instance/instance.ts';
import { shutDown } from './shut-down.ts';

const never = (): Promise<void> => new Promise(() => {});
const nothing = async (): Promise<void> => {};

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
  const [nobody, endThread] = [(): [] => [], () => {}];
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

test('an instance that another runtime has continued keeps no other from its end', async () => {
  const ended: string[] = [];
  const stops: Record<string, () => Promise<void>> = {
    first: nothing,
    fenced: () => Promise.reject(new HoldfastError('STORE_LOCKED', 'another goes on')),
    last: nothing,
  };
  const instances = Object.entries(stops).map(([address, stopped]) => ({
    address,
    phase: 'ended',
    async stop(_reason: string, turn: Promise<void>): Promise<void> {
      await turn;
      await stopped();
      ended.push(address);
    },
  })) as unknown as readonly Instance[];
  const thread = { name: 'a#0', pool: 'a', n: 0, standstill: () => 0, occupants: () => [...instances] };
  await shutDown(100, {
    clock,
    drained: nothing,
    instances: () => instances,
    threads: () => [thread],
    endThread: () => void ended.push('the thread, at once'),
    committed: nothing,
    giveUpCommits: () => {},
    flush: nothing,
    stopSecrets: nothing,
    stopThreads: nothing,
    warn: (_fields, message) => void ended.push(message),
  });
  expect(ended).toEqual(['first', 'last']);
});
