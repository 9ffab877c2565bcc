import type { SecretAnswer } from '../../../actors/secret-entry.ts';
import type { HoldfastError } from '../../base/errors.ts';

/** The waits for the answers of entries, by key. The machines know nothing of them: a promise is no metadata. */
export interface Answers {
  /** Settles with the result of `receive` for the next answer to the key, at the moment the answer is given. */
  next<T>(key: string, receive: (answer: SecretAnswer) => T): Promise<T>;
  /** Gives the answer to every wait for the key. */
  give(key: string, answer: SecretAnswer): void;
  /** Rejects every wait. */
  abandon(error: HoldfastError): void;
}

export function createAnswers(): Answers {
  interface Waiting {
    answer(answer: SecretAnswer): void;
    reject(error: unknown): void;
  }
  const waiting = new Map<string, Waiting[]>();

  return {
    next(key, receive) {
      const { promise, resolve, reject } = Promise.withResolvers<ReturnType<typeof receive>>();
      const answer = (given: SecretAnswer): void => {
        try {
          // Called at once, because right after the answer the value may be evicted (no reuse at a TTL of 0).
          resolve(receive(given));
        } catch (error) {
          reject(error);
        }
      };
      const queue = waiting.get(key);
      if (queue === undefined) waiting.set(key, [{ answer, reject }]);
      else queue.push({ answer, reject });
      return promise;
    },
    give(key, answer) {
      const all = waiting.get(key) ?? [];
      waiting.delete(key);
      for (const each of all) each.answer(answer);
    },
    abandon(error) {
      const all = [...waiting.values()].flat();
      waiting.clear();
      for (const each of all) each.reject(error);
    },
  };
}
