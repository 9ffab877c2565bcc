import { readServerSent } from './server-sent.ts';
import { authorization } from './session.ts';

/** Milliseconds until one that was lost is asked for again. */
const AGAIN_MS = 2000;

export interface FeedOptions {
  readonly told: (kind: string, data: unknown) => void;
  /** `refused` for good: the page needs another link, and `why` says where from. */
  readonly state: (state: 'live' | 'lost' | 'paused' | 'refused', why?: string) => void;
}

/** The stream of what happens. A pause ends it, so that a page that does not look costs the runtime nothing. */
export class Feed {
  readonly #options: FeedOptions;
  #ended: AbortController | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  get isPaused(): boolean {
    return this.#ended === undefined;
  }

  start(): void {
    this.#ended?.abort();
    this.#ended = new AbortController();
    void this.#follow(this.#ended.signal);
  }

  pause(): void {
    this.#ended?.abort();
    this.#ended = undefined;
    this.#options.state('paused');
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { told, state } = this.#options;
    while (!signal.aborted) {
      try {
        const answer = await fetch('/events', { headers: authorization(), signal });
        if (answer.status === 401) return state('refused', (await answer.text()).trim());
        if (answer.ok && answer.body !== null) {
          state('live');
          await readServerSent(answer.body, (kind, data) => {
            if (!signal.aborted) told(kind, JSON.parse(data));
          });
        }
      } catch {
        // It is lost, or was ended here.
      }
      if (signal.aborted) return;
      state('lost');
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

/** Undefined: it was done; else why not. */
export async function post(path: '/send' | '/replay', body: object): Promise<string | undefined> {
  try {
    const answer = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...authorization() },
      body: JSON.stringify(body),
    });
    return answer.ok ? undefined : (await answer.text()).trim();
  } catch {
    return 'the runtime does not answer';
  }
}
