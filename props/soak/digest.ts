/** What an instance has in its state of all that it handled: enough to see that one event is missing or there twice. */
export interface Digest {
  readonly count: number;
  readonly sum: number;
  readonly mix: number;
}

export const NOTHING: Digest = { count: 0, sum: 0, mix: 0 };

export function withNumber({ count, sum, mix }: Digest, n: number): Digest {
  return { count: count + 1, sum: (sum + n) >>> 0, mix: (mix + scrambled(n)) >>> 0 };
}

/** As before the number was added. */
export function withoutNumber({ count, sum, mix }: Digest, n: number): Digest {
  return { count: count - 1, sum: (sum - n) >>> 0, mix: (mix - scrambled(n)) >>> 0 };
}

export function isSame(a: Digest, b: Digest): boolean {
  return a.count === b.count && a.sum === b.sum && a.mix === b.mix;
}

function scrambled(n: number): number {
  const x = Math.imul(n ^ (n >>> 15), 0x2c1b3c6d);
  return Math.imul(x ^ (x >>> 12), 0x297a2d39) ^ (x >>> 15);
}
