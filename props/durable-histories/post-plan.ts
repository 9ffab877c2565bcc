import type { ClerkEvent } from '../agents/clerk.ts';

/** What the event of a number is, the same in each process. */
export function eventOf(n: number, clerks: number): ClerkEvent {
  if (n % 7 === 3) return { type: 'pass', n, to: `clerk/${recipientOf(n, clerks)}` };
  if (n % 11 === 5) return { type: 'arm', n, ms: 30 };
  return { type: 'note', n };
}

/** The clerk that the host sends it to. */
export function clerkOf(n: number, clerks: number): number {
  return (n * 7919) % clerks;
}

/** The clerk that it is passed on to. */
export function recipientOf(n: number, clerks: number): number {
  return (n * 31 + 1) % clerks;
}

export function howOf(n: number): 'ask' | 'deliver' | 'enqueue' {
  return (['ask', 'deliver', 'enqueue'] as const)[n % 3] ?? 'ask';
}

/** Whether it has an id, and is sent again until it is acknowledged. */
export function hasId(n: number): boolean {
  return n % 5 === 2;
}
