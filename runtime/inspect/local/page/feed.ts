import { sendJson } from './requests.ts';
import { readServerSent } from './server-sent.ts';
import { authorization } from './session.ts';
import type { Accepts, Issue } from './told.ts';

/** Milliseconds until one that was lost is asked for again. */
const AGAIN_MS = 2000;

export interface FeedOptions {
  /** `size`: the characters that it came in. */
  readonly told: (kind: string, data: unknown, size: number) => void;
  /** `refused` for good: the page needs another link, and `why` says where from. */
  readonly state: (state: 'live' | 'lost' | 'refused', why?: string) => void;
}

/** The stream of what happens. */
export class Feed {
  readonly #options: FeedOptions;
  #ended: AbortController | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Begins it, or begins it anew, which tells first what there is. */
  start(): void {
    this.#ended?.abort();
    this.#ended = new AbortController();
    void this.#follow(this.#ended.signal);
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
            if (!signal.aborted) told(kind, JSON.parse(data), data.length);
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

/** What a request led to. */
export interface Answer {
  /** Why it was not done; undefined when it was. */
  readonly problem?: string;
  /** What of an event does not fit. */
  readonly issues?: readonly Issue[];
  readonly accepts?: Accepts;
}

export async function post(path: '/send' | '/replay' | '/accepts' | '/deed', body: object): Promise<Answer> {
  try {
    const answer = await sendJson(path, body);
    if (answer.status === 200) return (await answer.json()) as Answer;
    if (answer.ok) return {};
    if (answer.status !== 422) return { problem: (await answer.text()).trim() };
    const { code, issues } = (await answer.json()) as { code: string; issues: readonly Issue[] };
    return { problem: `${code}: it does not fit what the agent accepts.`, issues };
  } catch {
    return { problem: 'the runtime does not answer' };
  }
}
