import type { InspectionEvent, Tick } from './told.ts';

export interface FeedOptions {
  readonly replay: (events: readonly InspectionEvent[]) => void;
  readonly events: (events: readonly InspectionEvent[]) => void;
  readonly tick: (tick: Tick) => void;
  readonly state: (state: 'live' | 'lost' | 'paused') => void;
}

/** The stream of what happens. A pause ends it, so that a page that does not look costs the runtime nothing. */
export class Feed {
  readonly #options: FeedOptions;
  #source: EventSource | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  get isPaused(): boolean {
    return this.#source === undefined;
  }

  start(): void {
    const { replay, events, tick, state } = this.#options;
    const source = (this.#source = new EventSource('/events'));
    const data = ({ data }: MessageEvent<string>): unknown => JSON.parse(data);
    source.addEventListener('replay', (told) => replay(data(told) as InspectionEvent[]));
    source.addEventListener('events', (told) => events(data(told) as InspectionEvent[]));
    source.addEventListener('status', (told) => tick(data(told) as Tick));
    source.addEventListener('open', () => state('live'));
    source.addEventListener('error', () => state('lost'));
  }

  pause(): void {
    this.#source?.close();
    this.#source = undefined;
    this.#options.state('paused');
  }
}

/** Undefined: it was done; else why not. */
export async function post(path: '/send' | '/replay', body: object): Promise<string | undefined> {
  try {
    const answer = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    return answer.ok ? undefined : (await answer.text()).trim();
  } catch {
    return 'the runtime does not answer';
  }
}
