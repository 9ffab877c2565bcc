import { ConfigError } from '../base/errors.ts';
import { shownPath } from '../config/read-text.ts';

/** A file as it is and as it is to be. */
export interface Change {
  readonly file: string;
  /** Undefined for a file that is new. */
  readonly before?: string;
  readonly after: string;
  readonly mode?: number;
}

/** The error for a file that somebody else wrote while a migration was under way. */
export function changedMeanwhile(path: string): ConfigError {
  const file = shownPath(path);
  const message = 'was changed in the meantime; run holdfast migrate again';
  return new ConfigError('CONFIG_INVALID', `CONFIG_INVALID: ${file}:1: ${message}`, [
    { code: 'file-changed', path: [], file, line: 1, column: 1, message },
  ]);
}
