import { HoldfastError } from '../base/errors.ts';
import type { Lost } from './store-outcome.ts';

/** The error of an instance of which nothing more is committed. `moved`: another node goes on with its partition. */
export function lostTurn(address: string, why: Lost | 'moved'): HoldfastError {
  if (why === 'moved')
    return new HoldfastError(
      'NODE_UNREACHABLE',
      `${address} went to another node, and nobody knows whether what was under way was done; look there, or give the event an id and send it again`,
    );
  if (why === 'fenced')
    return new HoldfastError(
      'STORE_FENCED',
      `${address} was continued by another runtime, and ends here; make sure that only one runtime at a time runs it`,
    );
  if (why === 'damaged')
    return new HoldfastError(
      'STORE_CORRUPT',
      `what the store has of ${address} is damaged, and the instance ends here; look with holdfast store check, and restore a backup`,
    );
  return new HoldfastError(
    'STORE_FAILED',
    `${address} was not started, because the store has little room left; make room, or raise its maxBytes`,
  );
}
