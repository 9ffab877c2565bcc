import type { Desks, Seen } from './desks.ts';

/** A question of a customer, and what came of it. */
export interface Exchange {
  readonly address: string;
  readonly said: string;
  readonly tools: string[];
  /** When each token came, and what it was. */
  readonly tokens: { readonly at: number; readonly text: string }[];
  /** How it ended: `undefined` while it has not. */
  end?: { readonly what: 'answered' | 'failed'; readonly text: string };
}

export interface Transcript {
  /** All that was seen, as it came. */
  readonly seen: readonly Seen[];
  readonly exchanges: readonly Exchange[];
  /** The first thing of that kind at an address. */
  first(this: void, address: string, what: Seen['what']): Seen | undefined;
  /** Resolves with the first thing of that kind at an address, which may have been seen already. */
  when(this: void, address: string, what: Seen['what']): Promise<Seen>;
}

/** Longer than anything here takes, also on a machine that is busy. */
const DEADLINE_MS = 30_000;

/** Writes down what the desks are seen to do. */
export function transcriptOf(desks: Desks): Transcript {
  const seen: Seen[] = [];
  const exchanges: Exchange[] = [];
  const open = new Map<string, Exchange>();
  desks.follow((one) => {
    seen.push(one);
    const { at, address, what, text } = one;
    if (what === 'said') {
      const exchange: Exchange = { address, said: text, tools: [], tokens: [] };
      exchanges.push(exchange);
      open.set(address, exchange);
    }
    const exchange = open.get(address);
    if (what === 'tool' && text.endsWith(' called')) exchange?.tools.push(text.replace(/ called$/, ''));
    if (what === 'token') exchange?.tokens.push({ at, text });
    if ((what === 'answered' || what === 'failed') && exchange !== undefined) {
      exchange.end = { what, text };
      open.delete(address);
    }
  });
  const first = (address: string, what: Seen['what']): Seen | undefined =>
    seen.find((one) => one.address === address && one.what === what);
  return {
    seen,
    exchanges,
    first,
    when: (address, what) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => {
          stop();
          reject(new Error(`${address}: nothing was seen of "${what}" in ${DEADLINE_MS / 1000} s`));
        }, DEADLINE_MS);
        const look = (): void => {
          const found = first(address, what);
          if (found === undefined) return;
          clearTimeout(late);
          stop();
          resolve(found);
        };
        const stop = desks.follow(look);
        look();
      }),
  };
}

export function textOf({ tokens }: Exchange): string {
  return tokens.map(({ text }) => text).join('');
}
