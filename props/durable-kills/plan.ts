import type { ClerkEvent } from '../agents/clerk.ts';

export const CLERKS = 16;
/** So many are at work at a time; the others have nothing to do, and leave memory. */
const AT_WORK = 6;
/** So many events go to the same few. */
const SHIFT = 128;

/** What the event of a number is, the same in each process. */
export function eventOf(n: number): ClerkEvent {
  if (n % 7 === 3) return { type: 'pass', n, to: `clerk/${recipientOf(n)}` };
  // The long ones come due when the process has gone, or their clerk from memory.
  if (n % 11 === 5) return { type: 'arm', n, ms: n % 2 === 0 ? 30 : 900 };
  if (n % 17 === 9) return { type: 'work', n };
  return { type: 'note', n };
}

/** The clerk that the host sends it to. */
export function clerkOf(n: number): number {
  return (firstOf(n) + ((n * 7919) % AT_WORK)) % CLERKS;
}

/** The clerk that it is passed on to; one in seven is not at work. */
export function recipientOf(n: number): number {
  return (firstOf(n) + ((n * 31 + 1) % (AT_WORK + 1))) % CLERKS;
}

function firstOf(n: number): number {
  return Math.floor(n / SHIFT) * 5;
}

export function howOf(n: number): 'ask' | 'deliver' | 'enqueue' {
  return (['ask', 'deliver', 'enqueue'] as const)[n % 3] ?? 'ask';
}

/** Whether it has an id, and is sent again until it is acknowledged. */
export function hasId(n: number): boolean {
  return n % 5 === 2;
}

/** For how many milliseconds it waits in the store before it is handled. */
export function waitOf(n: number): number {
  return n % 39 === 14 ? 200 : 0;
}
