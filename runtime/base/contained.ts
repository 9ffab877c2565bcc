import { callUser } from './user-call.ts';

/**
 * Runs what has nobody above it, such as a listener or a timer: what it throws, or rejects with, is told to `failed`, and
 * ends neither the process nor who called it.
 */
export function contained<A extends readonly unknown[]>(
  run: (...args: A) => unknown,
  failed: (error: unknown, ...args: A) => void,
): (...args: A) => void {
  const tell = (error: unknown, args: A): void => {
    try {
      failed(error, ...args);
    } catch {
      // Nobody is left who could be told.
    }
  };
  return (...args) =>
    void callUser(
      () => run(...args),
      (error) => tell(error, args),
    );
}
