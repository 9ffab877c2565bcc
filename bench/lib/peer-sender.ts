import type { Sender } from './load.ts';
import type { PeerPool } from './peers.ts';
import type { Task } from '../raw/thread.ts';

/** A pool knows no one-way message: its tasks are started, and only the last of a burst is waited for. */
export function peerSender({ run, post }: PeerPool): Sender {
  if (post !== undefined) return postingSender(run, post);
  // Tasks may overtake each other, so the results are counted, not what the worker says.
  let started = 0;
  let finished = 0;
  let all: (() => void) | undefined;
  return {
    send: (_to, n, last) => {
      started += 1;
      const ran = run({ type: 'tick', n }).then(() => {
        finished += 1;
        if (finished === started) all?.();
      });
      return last ? ran : undefined;
    },
    total: async () => {
      if (finished < started) await new Promise<void>((resolve) => (all = resolve));
      return finished;
    },
  };
}

/** One-way messages may arrive after a later question, so the count is asked for until it is complete. */
function postingSender(run: PeerPool['run'], post: (task: Task) => unknown): Sender {
  let sent = 0;
  return {
    send: (_to, n, last) => {
      sent += 1;
      if (last) return run({ type: 'tick', n });
      void post({ type: 'tick', n });
      return undefined;
    },
    total: async () => {
      const deadline = performance.now() + 10_000;
      for (;;) {
        const count = (await run({ type: 'read' })) as number;
        if (count >= sent || performance.now() > deadline) return count;
      }
    },
  };
}
