import { checkCall, listener, string, type Rule } from './call-check.ts';

const mayListen: Rule = {
  what: 'a function, or nothing',
  is: (value) => value === undefined || value === null || listener.is(value),
};

/** As XState has it: a function, an observer any of whose methods may be missing, or nothing. */
const observerRule: Rule = {
  what: 'a function, or an observer whose next, error and complete are functions',
  is(value) {
    if (value === undefined || listener.is(value)) return true;
    if (typeof value !== 'object' || value === null) return false;
    const { next, error, complete } = value as Record<string, unknown>;
    return [next, error, complete].every((method) => mayListen.is(method));
  },
};

/** @throws {HoldfastError} `OPTION_INVALID` for what cannot observe an agent */
export function checkObserver([observer, error, complete]: readonly unknown[]): void {
  checkCall('ref.subscribe()', {
    observer: [observer, observerRule],
    error: [error, mayListen],
    complete: [complete, mayListen],
  });
}

/** @throws {HoldfastError} `OPTION_INVALID` for what cannot listen to what an agent emits */
export function checkHandler(type: unknown, handler: unknown): void {
  checkCall('ref.on()', { type: [type, string], listener: [handler, listener] });
}

/** @throws {HoldfastError} `OPTION_INVALID` for what cannot select of a snapshot */
export function checkSelector(selector: unknown, equal: unknown): void {
  checkCall('ref.select()', { selector: [selector, listener], compare: [equal, mayListen] });
}
