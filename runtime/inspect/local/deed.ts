/** What a reader of the page may do to what it shows, besides sending events and replaying one letter. */
export type Deed =
  | { readonly deed: 'stop' | 'resume'; readonly address: string }
  /** `threadId` is the pool, `n` the number of its thread. */
  | { readonly deed: 'recycle'; readonly threadId: string; readonly n: number }
  /** For so many milliseconds, at most 30 s; 5 s when nothing is said. */
  | { readonly deed: 'profile'; readonly threadId: string; readonly n: number; readonly ms?: number }
  /** Of all letters that the page shows. */
  | { readonly deed: 'replay-all' }
  | { readonly deed: 'refresh'; readonly provider: string; readonly id: string };

/** Milliseconds; a longer one is too large for a page. */
const longestProfile = 30_000;

/** Undefined: it is none. */
export function deedOf(body: object): Deed | undefined {
  const { deed, address, threadId, n, ms, provider, id } = body as Readonly<Record<string, unknown>>;
  switch (deed) {
    case 'stop':
    case 'resume':
      return typeof address === 'string' ? { deed, address } : undefined;
    case 'recycle':
      return typeof threadId === 'string' && isNumber(n) ? { deed, threadId, n } : undefined;
    case 'profile':
      if (typeof threadId !== 'string' || !isNumber(n)) return undefined;
      if (ms === undefined) return { deed, threadId, n };
      return isNumber(ms) && ms >= 1 && ms <= longestProfile ? { deed, threadId, n, ms } : undefined;
    case 'replay-all':
      return { deed };
    case 'refresh':
      return typeof provider === 'string' && typeof id === 'string' ? { deed, provider, id } : undefined;
    default:
      return undefined;
  }
}

function isNumber(value: unknown): value is number {
  return Number.isInteger(value);
}
