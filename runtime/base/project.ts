import { createHash } from 'node:crypto';
import { basename } from 'node:path';

/** A name for the folder of a config that no other folder has. */
export function projectOf(folder: string): string {
  const name = basename(folder).replaceAll(/[^\w.-]+/g, '-') || 'project';
  return `${name}-${createHash('sha256').update(folder).digest('hex').slice(0, 8)}`;
}
