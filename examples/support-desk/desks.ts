import { createRuntime, sqliteStore, type AgentRef, type Logger, type RuntimeStatus } from 'holdfast';
import { toPromise } from 'xstate';
import type billing from './agents/billing.ts';
import type { Told } from './agents/conversation.ts';
import type orders from './agents/orders.ts';
import type repairs from './agents/repairs.ts';

/** The agents of openclaw.json, with their types. */
type Agents = {
  orders: { logic: typeof orders };
  billing: { logic: typeof billing };
  repairs: { logic: typeof repairs };
};
export type DeskName = keyof Agents;

/** What is seen of the desks from outside: by the page, and by whoever proves something about it. */
export interface Seen {
  /** Milliseconds since the desks were opened. */
  readonly at: number;
  /** The address of an instance: desk and customer. */
  readonly address: string;
  readonly what:
    | 'said' // by the customer
    | 'token' // of the answer
    | 'answered'
    | 'failed'
    | 'tool'
    | 'silence'
    | 'closed'
    | 'running'
    | 'restarting';
  readonly text: string;
}

export interface Desks {
  status(): RuntimeStatus;
  /** Starts the instance of a customer, unless it is there. */
  greet(desk: DeskName, customer: string): Promise<void>;
  /** Says something to the desk of a customer, and resolves when the answer is over. */
  say(desk: DeskName, customer: string, text: string): Promise<void>;
  follow(listener: (seen: Seen) => void): () => void;
  stop(): Promise<void>;
}

export interface Opening {
  readonly logger: Logger;
  readonly audit: (record: object) => void;
  readonly silenceMs: (customer: string) => number;
  /** The file in which conversations outlive the process. Default: they end with it. */
  readonly store?: string | undefined;
}

/** Starts the runtime. The model and its key are where MODEL_URL and MODEL_KEY say. */
export async function openDesks({ logger, audit, silenceMs, store: path }: Opening): Promise<Desks> {
  const begun = performance.now();
  const listeners = new Set<(seen: Seen) => void>();
  const known = new WeakSet<AgentRef>();
  const tell = (address: string, what: Seen['what'], text: string): void => {
    const seen = { at: Math.round(performance.now() - begun), address, what, text };
    for (const listener of listeners) listener(seen);
  };
  const runtime = await createRuntime<Agents>(new URL('openclaw.json', import.meta.url), {
    logger,
    audit,
    ...(path !== undefined && { store: sqliteStore({ path }) }),
  });
  runtime.on('agent', ({ address, state, incarnation, reason }) => {
    if (state === 'running') tell(address, state, `incarnation ${incarnation}`);
    if (state === 'restarting') tell(address, state, String(reason));
  });

  /** Follows an instance through all its restarts. */
  function watch(ref: AgentRef): void {
    if (known.has(ref)) return;
    known.add(ref);
    const { address } = ref;
    ref.on('*', (event: Told) => {
      if (event.type === 'tool') tell(address, 'tool', `${event.name} ${event.outcome}`);
      else tell(address, 'silence', event.text);
    });
    toPromise(ref).then(
      // Without a note it was stopped with the runtime.
      (note) => typeof note === 'string' && tell(address, 'closed', note),
      ({ message }: Error) => tell(address, 'failed', message),
    );
  }

  const refOf = (desk: DeskName, customer: string) =>
    runtime.getOrSpawn(desk, customer, { input: { silenceMs: silenceMs(customer) } });

  return {
    status: () => runtime.status(),
    async greet(desk, customer) {
      watch((await refOf(desk, customer)) as AgentRef);
    },
    async say(desk, customer, text) {
      const ref = await refOf(desk, customer);
      watch(ref as AgentRef);
      tell(ref.address, 'said', text);
      try {
        for await (const token of ref.askStream<string>({ type: 'say', text }))
          tell(ref.address, 'token', token);
        tell(ref.address, 'answered', '');
      } catch (error) {
        tell(ref.address, 'failed', (error as Error).message);
      }
    },
    follow(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    stop: () => runtime.stop(),
  };
}
