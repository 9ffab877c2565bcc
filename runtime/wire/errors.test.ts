import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../base/errors.ts';
import { decodeError, encodeError, isClonable, type WireError } from './errors.ts';

/** There and back, as it crosses a port. */
function crossed(error: unknown): unknown {
  return decodeError(structuredClone(encodeError(error)));
}

function crossedError(error: unknown): Error & Record<string, unknown> {
  return crossed(error) as Error & Record<string, unknown>;
}

describe('an error that crossed', () => {
  it.each([Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError])(
    'is still a %s with its message and stack',
    (Class) => {
      const error = new Class('what happened');

      const back = crossedError(error);

      expect(back).toBeInstanceOf(Class);
      expect(back.constructor).toBe(Class);
      expect(back.name).toBe(Class.name);
      expect(back.message).toBe('what happened');
      expect(back.stack).toBe(error.stack);
      expect(Object.keys(back)).toEqual([]);
    },
  );

  it('keeps the name of its class, whether that sets a name or not', () => {
    class Refused extends Error {}
    class Named extends Error {
      override name = 'NamedByItself';
    }

    expect(crossedError(new Refused('x')).name).toBe('Refused');
    expect(crossedError(new Named('x')).name).toBe('NamedByItself');
    expect(crossedError(new Refused('x'))).toBeInstanceOf(Error);
    expect(crossedError(new DOMException('gone', 'AbortError')).name).toBe('AbortError');
  });

  it('keeps its code and its own fields', () => {
    const error = Object.assign(new Error('no file'), {
      code: 'ENOENT',
      errno: -2,
      details: { tried: ['a', 'b'], at: new Date(7) },
    });

    expect(crossedError(error)).toMatchObject({
      code: 'ENOENT',
      errno: -2,
      details: { tried: ['a', 'b'], at: new Date(7) },
    });
  });

  it('leaves behind only those fields that cannot be cloned', () => {
    const error = Object.assign(new Error('x'), { code: 'E', socket: () => {}, more: { deep: () => {} } });

    const back = crossedError(error);

    expect(back['code']).toBe('E');
    expect(Object.keys(back)).toEqual(['code']);
  });

  it('is a HoldfastError with its code again if it was one', () => {
    const back = crossed(new HoldfastError('POOL_EXHAUSTED', 'no thread is left'));

    expect(back).toBeInstanceOf(HoldfastError);
    expect(back).toMatchObject({ name: 'HoldfastError', code: 'POOL_EXHAUSTED' });
  });

  it('is as retryable as it was, also as a cause', () => {
    const full = new HoldfastError('MAILBOX_FULL', 'later');

    expect(crossed(full)).toMatchObject({ retryable: true });
    expect(crossed(new HoldfastError('SECRET_DENIED', 'never', { cause: full }))).toMatchObject({
      retryable: false,
      cause: { retryable: true },
    });
  });

  it('keeps every one of an AggregateError’s errors', async () => {
    const failed = Promise.any([
      Promise.reject(new RangeError('one')),
      Promise.reject(Object.assign(new Error('two'), { code: 'E_TWO' })),
    ]);

    const back = (await failed.catch(crossed)) as AggregateError;

    expect(back).toBeInstanceOf(AggregateError);
    expect(back.errors).toHaveLength(2);
    expect(back.errors[0]).toBeInstanceOf(RangeError);
    expect(back.errors[1]).toMatchObject({ message: 'two', code: 'E_TWO' });
    expect(Object.keys(back)).toEqual([]);
  });
});

describe('causes', () => {
  it('cross with everything they have', () => {
    const cause = new TypeError('inner', { cause: new HoldfastError('SECRET_DENIED', 'innermost') });

    const back = crossedError(new Error('outer', { cause }));

    expect(back.cause).toBeInstanceOf(TypeError);
    expect((back.cause as Error).cause).toBeInstanceOf(HoldfastError);
    expect(Object.keys(back)).toEqual([]);
  });

  it('keep their class and code also when they were assigned as a plain field', () => {
    const error = new Error('outer') as Error & { cause: unknown };
    error.cause = Object.assign(new RangeError('inner'), { code: 'E_INNER' });

    const { cause } = crossedError(error);

    expect(cause).toBeInstanceOf(RangeError);
    expect(cause).toMatchObject({ code: 'E_INNER' });
  });

  it('may be no errors', () => {
    expect(crossedError(new Error('x', { cause: 'a text' })).cause).toBe('a text');
    expect(crossedError(new Error('x', { cause: { a: 1 } })).cause).toEqual({ a: 1 });
  });

  it('are followed eight deep, so that one that is its own cause ends', () => {
    let error = new Error('0');
    for (let n = 1; n < 20; n++) error = new Error(String(n), { cause: error });
    const own = new Error('own') as Error & { cause: unknown };
    own.cause = own;

    expect(depthOf(crossed(error))).toBe(8);
    expect(depthOf(crossed(own))).toBe(8);
  });

  function depthOf(error: unknown): number {
    let depth = 0;
    for (let at = error; at instanceof Error && at.cause !== undefined; at = at.cause) depth += 1;
    return depth;
  }
});

describe('what is thrown and is no error', () => {
  it.each([
    ['text'],
    [5],
    [null],
    [undefined],
    [false],
    [{ name: 'Error', message: 'looks like one' }],
    [[1]],
  ])('%j crosses as it is', (thrown) => {
    expect(crossed(thrown)).toEqual(thrown);
  });

  it('crosses as its text when it cannot be cloned', () => {
    expect(crossed(Symbol('mark'))).toBe('Symbol(mark)');
    expect(crossed(() => 'body')).toContain('body');
  });
});

describe('an error that resists being read', () => {
  const resisting: Record<string, () => unknown> = {
    'a field that throws': () =>
      Object.defineProperty(new Error('x'), 'bad', {
        enumerable: true,
        get() {
          throw new Error('read me not');
        },
      }),
    'a message that throws': () =>
      Object.defineProperty(new Error('x'), 'message', {
        get() {
          throw new Error('read me not');
        },
      }),
    'a cause that throws': () =>
      Object.defineProperty(new Error('x'), 'cause', {
        get() {
          throw new Error('read me not');
        },
      }),
    'a message that is a function': () => Object.assign(new Error('x'), { message: () => {} }),
    'a name that is a symbol': () => Object.assign(new Error('x'), { name: Symbol('name') }),
    'a stack of call sites': () => Object.assign(new Error('x'), { stack: [{ getFileName() {} }] }),
    'no way to text': () => Object.assign(Object.create(null) as object, { run() {} }),
    'a proxy that throws': () =>
      new Proxy(new Error('x'), {
        getPrototypeOf() {
          throw new Error('read me not');
        },
      }),
    'a field that is clonable only every other time': () => {
      let reads = 0;
      const moody = Object.defineProperty({}, 'x', {
        enumerable: true,
        get: () => (reads++ % 2 === 0 ? 1 : () => {}),
      });
      return Object.assign(new Error('x'), { moody });
    },
  };

  it.each(Object.entries(resisting))('is encoded to something that can be cloned: %s', (_name, make) => {
    const wire = encodeError(make());

    expect(isClonable(wire)).toBe(true);
    expect(() => decodeError(structuredClone(wire))).not.toThrow();
  });
});

describe('any thrown value', () => {
  it('is encoded to something that can be cloned, and decoded without throwing', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true }), fc.string(), (value, message) => {
        const error = Object.assign(new Error(message, { cause: value }), { value, code: value });
        for (const thrown of [value, error]) {
          const wire = structuredClone(encodeError(thrown));
          expect(() => decodeError(wire)).not.toThrow();
        }
        expect(crossedError(error).message).toBe(message);
      }),
    );
  });

  it('that a thread made up as an encoded error decodes without throwing', () => {
    const part = fc.oneof(
      fc.anything(),
      fc.constantFrom('__proto__', 'constructor', 'HoldfastError', 'AggregateError', 'TypeError'),
    );
    const wire = fc.letrec((tie) => ({
      wire: fc.oneof(
        { depthSize: 'small' },
        part,
        fc.record(
          {
            raw: part,
            name: part,
            message: part,
            stack: part,
            props: part,
            errors: part,
            cause: tie('wire'),
          },
          { requiredKeys: [] },
        ),
      ),
    })).wire;

    fc.assert(
      fc.property(wire, (value) => {
        fc.pre(isClonable(value));
        expect(() => decodeError(structuredClone(value) as WireError)).not.toThrow();
        expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
      }),
      { numRuns: 1000 },
    );
  });
});
