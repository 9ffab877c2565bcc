export type ReadingEvent =
  | { readonly type: 'ping' }
  | { readonly type: 'tokens'; readonly origin: string; readonly count: number; readonly everyMs: number }
  | { readonly type: 'bytes'; readonly origin: string; readonly count: number; readonly pauseEach?: number };
