import { workerData, type MessagePort } from 'node:worker_threads';
import { openLink, type LinkPort } from '../wire/link.ts';
import type { ThreadData } from '../wire/protocol.ts';
import type { EventLoop } from '../worker/event-loop.ts';
import { loadLogic } from '../worker/load-logic.ts';
import { startThread } from '../worker/thread.ts';
import { countedPort, type CountedPort } from './counted-port.ts';
import { Timers, type Time } from './timers.ts';

/** What a worker thread of a test is born with beyond its own. */
export interface ControlData {
  readonly control: MessagePort;
  readonly now: number;
  /** 1 once the thread hangs. */
  readonly gate: Int32Array;
}

/**
 * How a thread is doing: what it has sent to its host and received, whether it has work left, its next timer, and what
 * it has sent and received on each port to another thread.
 */
export type Pulse = readonly [
  sent: number,
  received: number,
  busy: boolean,
  nextTimer: number | null,
  peers: readonly (readonly [id: number, sent: number, received: number])[],
];

/** How long the import of a module counts as work, in real milliseconds. */
const HOLD_MS = 2000;

/** A worker thread whose time is the test's, and that tells the test how it is doing. */
export function startControlled(): void {
  const { control, now, gate, ...data } = workerData as ThreadData & ControlData;
  const time: Time = { now };
  const timers = new Timers(time);
  const port = countedPort(data.port as LinkPort);
  let busy = 0;
  const loop: EventLoop = {
    immediate(run) {
      busy += 1;
      setImmediate(() => {
        busy -= 1;
        run();
      });
    },
    // No slice of turns ends because the machine is busy.
    now: () => time.now,
  };
  const load: typeof loadLogic = (...agent) => {
    const loading = loadLogic(...agent);
    busy += 1;
    let patience: NodeJS.Timeout | undefined;
    const waited = new Promise<void>((resolve) => {
      patience = setTimeout(resolve, HOLD_MS);
    });
    const over = (): void => {
      clearTimeout(patience);
      busy -= 1;
    };
    Promise.race([loading, waited]).then(over, over);
    return loading;
  };
  const peers = new Map<number, CountedPort>();
  const adopt = (peer: MessagePort, id: number): CountedPort => {
    const counted = countedPort(peer);
    peers.set(id, counted);
    return counted;
  };
  const thread = startThread({ ...data, port }, { clock: timers, loop, now: () => time.now, adopt, load });
  process.once('exit', () => thread.end());
  openLink(control, {
    expose: {
      async pulse(): Promise<Pulse> {
        // Whoever waits for promises had two turns of the event loop to go on in.
        for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
        const others = [...peers].map(([id, peer]) => [id, peer.sent, peer.received] as const);
        return [port.sent, port.received, busy > 0, timers.next ?? null, others];
      },
      moved(to: number) {
        time.now = to;
      },
      runTimer() {
        // Not in here, where what it throws would be an answer instead of this thread's end.
        busy += 1;
        setImmediate(() => {
          busy -= 1;
          timers.runNext();
        });
      },
      hang: () =>
        void setImmediate(() => {
          Atomics.store(gate, 0, 1);
          // Nobody wakes it: its end comes while it waits, or it could still handle what has been delivered since.
          Atomics.wait(gate, 0, 1);
        }),
    },
  });
}
