import { expect, test } from 'vitest';
import { ConfigError, HoldfastError, type HoldfastErrorCode, isRetryable } from './errors.ts';

test('an error says by its code whether the same call may succeed later', () => {
  expect(new HoldfastError('MAILBOX_FULL', 'later').retryable).toBe(true);
  expect(new HoldfastError('SECRET_NOT_GRANTED', 'never').retryable).toBe(false);
  expect(new ConfigError('CONFIG_INVALID', 'never', []).retryable).toBe(false);
});

test.each(['', 'constructor', '__proto__', 'E_OF_AN_AGENT'])(
  'what is no code is not retryable: "%s"',
  (code) => {
    expect(isRetryable(code)).toBe(false);
    expect(new HoldfastError(code as HoldfastErrorCode, 'made up').retryable).toBe(false);
  },
);
