import type { ConfigPath } from '../config/finding.ts';

/** A value under `headers` is that of the header as a whole. */
export function isHeader(keys: ConfigPath | undefined): boolean {
  return /^headers$/i.test(String(keys?.at(-2)));
}
