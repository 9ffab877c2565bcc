import type { Model } from './history.ts';

export type RegisterInput =
  | { readonly type: 'read' }
  | { readonly type: 'write'; readonly value: number }
  /** Writes `value` if it is `expected`, and answers whether it was. */
  | { readonly type: 'swap'; readonly expected: number; readonly value: number };

/** A cell with a number, 0 at first; reads answer it. */
export const register: Model<number, RegisterInput, number | boolean> = {
  initial: 0,
  key: (state) => state,
  step(state, input, output) {
    if (input.type === 'write') return { state: input.value };
    if (input.type === 'read') return output === undefined || output === state ? { state } : undefined;
    const isEqual = state === input.expected;
    if (output !== undefined && output !== isEqual) return undefined;
    return { state: isEqual ? input.value : state };
  },
};

export type CounterInput = { readonly type: 'total' } | { readonly type: 'add'; readonly amount: number };

/** A sum, 0 at first; both answer what it is then. */
export const counter: Model<number, CounterInput, number> = {
  initial: 0,
  key: (state) => state,
  step(state, input, output) {
    const after = input.type === 'add' ? state + input.amount : state;
    return output === undefined || output === after ? { state: after } : undefined;
  },
};
