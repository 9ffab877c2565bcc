/** The part of an agent's ref that feeding needs. */
export interface Feedable<TEvent> {
  send(event: TEvent): void;
  deliver(event: TEvent, options?: { timeoutMs?: number }): Promise<void>;
}

/** Two windows are under way at once and fit a mailbox of 1000 with room for other senders. */
const WINDOW = 400;
const WINDOW_TIMEOUT_MS = 15_000;

/**
 * Sends events in order, no faster than the instance handles them: every window ends with a `deliver`, which
 * settles once that event, and so all before it, was handled. Resolves when the last one was.
 */
export async function feed<TEvent>(
  ref: Feedable<TEvent>,
  events: Iterable<TEvent>,
  onHandled: (count: number) => void = () => {},
): Promise<void> {
  let under: Promise<void> = Promise.resolve();
  for (const window of windows(events)) {
    const last = window.pop();
    if (last === undefined) break;
    for (const event of window) ref.send(event);
    const handled = ref
      .deliver(last, { timeoutMs: WINDOW_TIMEOUT_MS })
      .then(() => onHandled(window.length + 1));
    // Awaited below; a failure of the window before must not leave this one unhandled.
    handled.catch(() => {});
    await under;
    under = handled;
  }
  await under;
}

function* windows<TEvent>(events: Iterable<TEvent>): Generator<TEvent[]> {
  let window: TEvent[] = [];
  for (const event of events) {
    window.push(event);
    if (window.length < WINDOW) continue;
    yield window;
    window = [];
  }
  if (window.length > 0) yield window;
}

/** Takes events whenever they come and feeds them on, in order. */
export interface Inbox<TEvent> {
  push(event: TEvent): void;
  /** Settles when everything pushed so far was handled; rejects when feeding failed. */
  settled(): Promise<void>;
}

export function createInbox<TEvent>(ref: Feedable<TEvent>): Inbox<TEvent> {
  let waiting: TEvent[] = [];
  let tail: Promise<void> = Promise.resolve();

  async function flush(): Promise<void> {
    const events = waiting;
    waiting = [];
    await feed(ref, events);
  }

  return {
    push(event) {
      waiting.push(event);
      // The first event of a batch brings the flush; the others of it go along.
      if (waiting.length > 1) return;
      tail = tail.then(flush);
      tail.catch(() => {}); // reported by settled()
    },
    async settled() {
      await tail;
    },
  };
}
