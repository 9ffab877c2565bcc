import { HoldfastError } from '../../base/errors.ts';

/** The error for what was read and is not what was written. */
export function corrupt(what: string, cause?: unknown): HoldfastError {
  const message = `${what}; keep a copy of the store as it is, and restore a backup (a file: with \`holdfast store restore\`)`;
  return new HoldfastError('STORE_CORRUPT', message, cause === undefined ? {} : { cause });
}
