import { once } from 'node:events';
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import type { Savina } from '../lib/savina-actors.ts';

/** What the workers say to each other. */
export type Peerwise =
  | { readonly type: 'ping'; readonly from: number; readonly n: number }
  | { readonly type: 'pong'; readonly from: number; readonly n: number }
  | { readonly type: 'token'; readonly left: number }
  | { readonly type: 'tick'; readonly n: number }
  | { readonly type: 'add'; readonly from: number }
  | { readonly type: 'added'; readonly count: number };

/** What the host tells a worker; it answers when it is through. */
export type FromHost =
  | {
      readonly type: 'port';
      readonly index: number;
      readonly to: number;
      readonly port: MessagePort | undefined;
    }
  | { readonly type: 'play'; readonly rounds: number }
  | { readonly type: 'big'; readonly rounds: number }
  | { readonly type: 'ring'; readonly hops: number }
  | { readonly type: 'produce'; readonly events: number; readonly burst: number };

/** Bare workers with a port between each two. */
export async function rawSavina(threads: number): Promise<Required<Savina>> {
  const workers = Array.from(
    { length: threads },
    () => new Worker(new URL('./savina-worker.ts', import.meta.url)),
  );
  const tell = async (index: number, message: FromHost, transfer: MessagePort[] = []): Promise<unknown> => {
    const worker = workers[index] as Worker;
    worker.postMessage(message, transfer);
    const [answer] = (await once(worker, 'message')) as [unknown];
    return answer;
  };
  for (let a = 0; a < threads; a++) {
    await tell(a, { type: 'port', index: a, to: a, port: undefined });
    for (let b = a + 1; b < threads; b++) {
      const { port1, port2 } = new MessageChannel();
      await tell(a, { type: 'port', index: a, to: b, port: port1 }, [port1]);
      await tell(b, { type: 'port', index: b, to: a, port: port2 }, [port2]);
    }
  }
  return {
    pingPong: async (rounds) => (await tell(0, { type: 'play', rounds })) as number,
    counting: async (events, burst) => (await tell(0, { type: 'produce', events, burst })) as number,
    ring: async (hops) => (await tell(0, { type: 'ring', hops })) as number,
    big: async (rounds) => {
      const done = await Promise.all(workers.map((_, index) => tell(index, { type: 'big', rounds })));
      return done.length;
    },
    stop: async () => {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
