import { expect, test } from 'vitest';
import { toPromise } from 'xstate';
import { fixture, start } from '../fixtures/start.ts';

/** With what is told of an error and cannot be enumerated. */
function whole(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return thrown;
  const { name, message, cause } = thrown;
  const errors = thrown instanceof AggregateError ? (thrown.errors as unknown) : undefined;
  return Object.assign({ name, message, cause, errors }, thrown);
}

async function causeOf(event: { type: string; rejects?: boolean }): Promise<Error & { cause: unknown }> {
  const runtime = await start({
    agents: { throwing: fixture('throwing', { supervision: { restart: 'temporary' } }) },
  });
  const ref = await runtime.spawn('throwing');
  const end = toPromise(ref);
  ref.send(event);
  return end.then(
    () => Promise.reject(new Error('it has not failed')),
    (error: Error & { cause: unknown }) => error,
  );
}

test.each([
  ['error', { name: 'RangeError', message: 'out of range', code: 'E_RANGE', at: { n: 1 } }],
  ['dom', { name: 'AbortError', message: 'given up', code: 20 }],
  ['abort', { name: 'AbortError', message: 'This operation was aborted', code: 20 }],
  ['cause', { name: 'Error', message: 'outer', cause: { name: 'DataError', message: 'inner' } }],
  ['aggregate', { name: 'AggregateError', message: 'both', errors: [{ message: 'one' }, 'two'] }],
  ['realm', { name: 'TypeError', message: 'from elsewhere', code: 'E_ELSEWHERE' }],
  ['getter', { name: 'Error', message: '(its message cannot be read)', code: 'E_GETTER' }],
  ['instance', { kind: 'odd' }],
  ['functions', expect.stringContaining('no reason')],
  ['plain', { why: 'no reason' }],
  ['text', 'a text'],
  ['number', 7],
  ['null', null],
  ['undefined', undefined],
  ['symbol', 'Symbol(a symbol)'],
])('whatever ends a thread uncaught is told (%s)', async (type, thrown) => {
  const error = await causeOf({ type });
  expect(error).toMatchObject({ code: 'THREAD_CRASHED' });
  expect([whole(error.cause)]).toMatchObject([thrown]);
  expect(error.message).toContain(
    thrown === null || thrown === undefined ? `throw of ${String(thrown)}` : 'an uncaught error',
  );
});

test.each(['dom', 'error', 'realm'])(
  'and so is what a promise rejects with that nobody handles (%s)',
  async (type) => {
    const error = await causeOf({ type, rejects: true });
    expect((error.cause as Error).message).toMatch(/given up|out of range|from elsewhere/);
  },
);
