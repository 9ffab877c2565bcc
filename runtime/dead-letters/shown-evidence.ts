import type { Evidence } from './dead-letters.ts';

/** Evidence as it is stored. */
export function shownEvidence({ cause, thread, error }: Evidence): object {
  const { name, message, code } = error instanceof Error ? (error as Error & { code?: unknown }) : {};
  return { cause, thread, error: { name, message, ...(typeof code === 'string' && { code }) } };
}
