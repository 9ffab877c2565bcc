import { expect, test } from 'vitest';
import { HoldfastError } from '../base/errors.ts';
import { openedStore } from './opened-store.ts';

/** Fails so often, and what was logged meanwhile. */
function opening(failures: readonly Error[]) {
  const left = [...failures];
  const warned: string[] = [];
  const logger = { debug() {}, info() {}, warn: (_: object, text: string) => warned.push(text), error() {} };
  const open = async (): Promise<void> => {
    const error = left.shift();
    if (error !== undefined) throw error;
  };
  return { left, warned, logger, open };
}

const locked = new HoldfastError('STORE_LOCKED', 'the store is open already');

test('a store that another process has is waited for, which is said once', async () => {
  const { left, warned, logger, open } = opening([locked, locked]);
  await openedStore(open, logger);
  expect([left, warned.length]).toEqual([[], 1]);
});

test('a store that stays with the other process, or fails for another reason, is not opened', async () => {
  const { logger, open } = opening([locked, locked, locked, locked]);
  await expect(openedStore(open, logger, 1)).rejects.toBe(locked);
  const corrupt = new HoldfastError('STORE_CORRUPT', 'the file is damaged');
  const other = opening([corrupt]);
  await expect(openedStore(other.open, other.logger)).rejects.toBe(corrupt);
  expect(other.warned).toEqual([]);
});
