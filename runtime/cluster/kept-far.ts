import { AskReader } from '../instance/ask-stream.ts';
import type { Waiting } from '../mailbox/waiting.ts';
import type { NodeShare } from '../system/node-share.ts';
import type { Call } from './messages.ts';
import type { LinkWait, PartReader } from './node-link.ts';

export interface KeptFarOptions {
  /** Asks the node that has the instance. */
  readonly call: (call: Call, wait: LinkWait) => Promise<unknown>;
  /** Those who wait for the answers. */
  readonly waiting: Pick<Waiting, 'touch' | 'hold' | 'reject'>;
}

/** How each kind is called on a link. */
const kinds = { enqueue: 'enqueue', delivery: 'deliver', ask: 'ask' } as const;

/** What callers with names of their own, such as tokens of a gateway, give ids, for instances on other nodes. */
export function keptFar({ call, waiting }: KeptFarOptions): Pick<NodeShare, 'keep' | 'keepStream'> {
  return {
    keep: (address, kind, value, { id, caller }, wait) =>
      call({ kind: kinds[kind], address, value, id, by: caller }, wait),
    keepStream(address, value, { id, caller }, wait) {
      const { promise: again, resolve: known } = Promise.withResolvers<boolean>();
      const reader = new AskReader({ address, signal: wait.signal, waiting });
      let asked = 0;
      let isKnown = false;
      const stream: PartReader = {
        get begun() {
          return reader.begun;
        },
        opened(tag) {
          asked = tag;
          reader.opened(tag);
        },
        seated: (seat) => reader.seated(seat),
        take(seat, chunks, told, bytes) {
          if (isKnown) return reader.take(seat, chunks, told, bytes);
          // The first part says whether it was asked before.
          isKnown = true;
          known(chunks[0] === true);
          seat.credit(asked, 1);
          return undefined;
        },
        again: () => reader.again(),
      };
      const result = call({ kind: 'askStream', address, value, id, by: caller }, { ...wait, stream });
      result.then(
        () => known(false),
        () => known(false),
      );
      reader.follow(result);
      return { stream: { result, [Symbol.asyncIterator]: () => reader.iterator() }, again };
    },
  };
}
