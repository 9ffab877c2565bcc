import type { Rich, Thrown } from './chart.ts';

/** A value that structured clone carries and JSON does not; the same one for the same arguments. */
export function richValue(what: Rich, n: number): unknown {
  switch (what) {
    case 'date':
      return new Date(n * 1000);
    case 'map':
      return new Map<unknown, unknown>([[n, { deep: new Set([n]) }]]);
    case 'set':
      return new Set([n, 'n']);
    case 'bigint':
      return BigInt(n) << 70n;
    case 'not a number':
      return [Number.NaN, -0, undefined, Infinity];
    case 'bytes':
      return new Uint8Array([n & 255, 2, 3]);
    case 'cycle': {
      const cycle: { self?: unknown; n: number } = { n };
      cycle.self = cycle;
      return cycle;
    }
    case 'error':
    default:
      return new TypeError(`kept ${n}`, { cause: 'a cause' });
  }
}

export function thrown(what: Thrown, n: number): unknown {
  switch (what) {
    case 'error':
      return new Error(`thrown ${n}`);
    case 'range error':
      return new RangeError(`thrown ${n}`, { cause: new Error('the cause') });
    case 'error with code':
      return Object.assign(new Error(`thrown ${n}`), { code: 'E_CHART', at: { n } });
    case 'text':
      return `thrown ${n}`;
    case 'object':
    default:
      return { thrown: n };
  }
}
