import { duration, short } from './figures.ts';
import type { Instance, Pool, Secret, ShownError, Status, Thread } from './told.ts';

/** One thing that is wrong at this moment. */
export interface Wrong {
  /** The same as long as it is the same thing. */
  readonly key: string;
  readonly kind:
    | 'quarantined'
    | 'store'
    | 'hung'
    | 'stuck'
    | 'exhausted'
    | 'refused'
    | 'breaker'
    | 'restarting'
    | 'restarted'
    | 'full'
    | 'stale'
    | 'waiting'
    | 'tools';
  /** `bad`: something is not done until somebody does something, or for long; `warn`: it may pass. */
  readonly level: 'bad' | 'warn';
  /** The name of what it is about, and its id in the tree, if it is there. */
  readonly name: string;
  readonly id?: string;
  /** Why, with its error. */
  readonly why: string;
  /** What to do. */
  readonly advice: string;
  /** Milliseconds since the epoch, where it is known. */
  readonly since?: number;
}

/** The worst first; of one kind those that began last. */
const order: readonly Wrong['kind'][] = [
  'quarantined',
  'store',
  'hung',
  'stuck',
  'exhausted',
  'refused',
  'breaker',
  'restarting',
  'restarted',
  'full',
  'stale',
  'waiting',
  'tools',
];

/** What the status tells of what is wrong now. */
export function wrongNow(status: Status): Wrong[] {
  const { pools, instances, secrets, secretProviders, store, mcpServers = [] } = status;
  const wrong: Wrong[] = [
    ...instances.flatMap(ofInstance),
    ...pools.flatMap(ofPool),
    ...secrets.flatMap(ofSecret),
  ];
  if (store !== undefined && store.state !== 'ok') wrong.push(ofStore(store));
  for (const { alias, breaker, failure = 'it failed' } of secretProviders)
    if (breaker !== 'closed')
      wrong.push({
        key: `breaker ${alias}`,
        kind: 'breaker',
        level: 'bad',
        name: alias,
        why: `the provider of secrets failed too often (${failure}): it is ${breaker === 'open' ? 'not called for a while' : 'tried once'}`,
        advice: 'It is tried again by itself; see whether the provider is there and lets in who asks.',
      });
  for (const { agent, server, state } of mcpServers)
    if (state === 'failed')
      wrong.push({
        key: `mcp ${agent} ${server}`,
        kind: 'tools',
        level: 'warn',
        name: `${agent}: ${server}`,
        why: 'the MCP server does not start, or does not answer',
        advice: 'The next call tries it again; the log has its error.',
      });
  const rank = new Map(order.map((kind, n) => [kind, n]));
  return wrong.toSorted(
    (a, b) => (rank.get(a.kind) ?? 0) - (rank.get(b.kind) ?? 0) || (b.since ?? 0) - (a.since ?? 0),
  );
}

/** `CODE: message`, or `TypeError: message`. */
export function errorText({ name, code, message }: ShownError): string {
  return `${code ?? name}: ${message}`;
}

/** What was last wrong with an instance, as a line. */
export function failureText({ quarantine, failure }: Instance): string | undefined {
  if (quarantine?.because !== undefined) return `${quarantine.because} of its group failed too often`;
  if (quarantine !== undefined) return errorText(quarantine.error);
  if (failure === undefined) return undefined;
  return failure.error === undefined ? `it ended: ${failure.cause}` : errorText(failure.error);
}

function ofInstance(instance: Instance): Wrong[] {
  const { address, state, quarantine, failure, mailbox, capacity, incarnation } = instance;
  const it = { name: address, id: address };
  const error = failureText(instance);
  const waits = mailbox > 0 ? ` · ${short(mailbox)} ${mailbox === 1 ? 'event waits' : 'events wait'}` : '';
  if (state === 'quarantined')
    return [
      {
        ...it,
        key: `quarantined ${address}`,
        kind: 'quarantined',
        level: 'bad',
        why: `${error ?? 'it failed too often'} · ${often(quarantine)}incarnation ${incarnation}${waits}`,
        advice: adviceFor(address, quarantine),
        ...sinceOf(quarantine?.failures.at(-1)?.at),
      },
    ];
  const wrong: Wrong[] = [];
  if (state === 'restarting' || failure !== undefined)
    wrong.push({
      ...it,
      key: `restarting ${address}`,
      kind: state === 'restarting' ? 'restarting' : 'restarted',
      level: 'warn',
      why: `${error ?? 'it ended'} · incarnation ${incarnation}${waits}`,
      advice:
        'It goes on by itself. When it fails more often than its restart policy allows, it is quarantined.',
      ...sinceOf(failure?.at),
    });
  if (capacity > 0 && mailbox >= capacity)
    wrong.push({
      ...it,
      key: `full ${address}`,
      kind: 'full',
      level: 'warn',
      why: `${short(mailbox)} of ${short(capacity)} events wait: what more is sent is refused, dropped or held back, by its \`overflow\``,
      advice: 'Send it less, spread its work over more instances, or let it handle an event sooner.',
    });
  return wrong;
}

function often(quarantine: Instance['quarantine']): string {
  if (quarantine === undefined || quarantine.because !== undefined || quarantine.unfit === true) return '';
  const { restarts, withinMs } = quarantine;
  return `${restarts} ${restarts === 1 ? 'restart' : 'restarts'} in ${duration(withinMs)} · `;
}

function adviceFor(address: string, quarantine: Instance['quarantine']): string {
  const letter = quarantine?.deadLetter === undefined ? '' : ' The event in hand is a dead letter.';
  return `Mend the cause, then resume() it (holdfast agents resume ${address}), or stop() it.${letter}`;
}

function ofPool(pool: Pool): Wrong[] {
  const { threadId, health, waiting, threads, maxThreads } = pool;
  const id = `supervisor/pool:${threadId}`;
  const waits = waiting > 0 ? `${short(waiting)} ${waiting === 1 ? 'instance waits' : 'instances wait'}` : '';
  const wrong = threads.flatMap((thread) => ofThread(thread, id));
  if (health !== 'open')
    wrong.push({
      key: `pool ${threadId}`,
      kind: 'exhausted',
      level: 'bad',
      name: threadId,
      id,
      why: ['too many threads failed to start, or instances failed: no more threads are started', waits]
        .filter(Boolean)
        .join(' · '),
      advice:
        health === 'half-open'
          ? 'One thread is tried now.'
          : 'See the errors of its threads in the log; one is tried again when its window has passed.',
    });
  else if (waiting > 0 && threads.length >= maxThreads)
    wrong.push({
      key: `waiting ${threadId}`,
      kind: 'waiting',
      level: 'warn',
      name: threadId,
      id,
      why: `${waits} for a thread: all ${maxThreads} are taken`,
      advice: 'Stop instances that are done, or allow the pool more `maxThreads`.',
    });
  return wrong;
}

function ofThread({ n, name, state, slow, instances }: Thread, pool: string): Wrong[] {
  const it = { name, id: `${pool}/thread:${n}` };
  const others = `${short(instances)} ${instances === 1 ? 'instance is' : 'instances are'} on it`;
  if (state === 'stuck')
    return [
      {
        ...it,
        key: `stuck ${it.id}`,
        kind: 'stuck',
        level: 'bad',
        why: 'it was ended and does not end: a call into the operating system holds it, and its place in the pool',
        advice:
          'Only the end of the process frees it: restart the program, and look at native calls of the agent.',
      },
    ];
  if (slow === undefined) return [];
  const whose = slow.address === undefined ? 'something outside of a turn' : `a turn of ${slow.address}`;
  return [
    {
      ...it,
      key: `hung ${it.id}`,
      kind: 'hung',
      level: 'bad',
      why: `${whose} has kept it for ${duration(slow.ms)} · ${others}`,
      advice: 'It is ended after `watchdog.killMs`, and its instances restart. Move long work out of turns.',
    },
  ];
}

function ofSecret({ provider, id, stage, role = '', state, failure, holders }: Secret): Wrong[] {
  if (state !== 'failed' && state !== 'stale') return [];
  const isRefused = state === 'failed';
  const held = `${short(holders)} ${holders === 1 ? 'instance holds' : 'instances hold'} it`;
  return [
    {
      key: `secret ${provider} ${id} ${stage} ${role}`,
      kind: isRefused ? 'refused' : 'stale',
      level: isRefused ? 'bad' : 'warn',
      name: `${provider}: ${id}`,
      why: `the provider said ${failure ?? 'nothing'}${isRefused ? '' : '; the last version is still used'} · ${held}`,
      advice: adviceForSecret(failure, id),
    },
  ];
}

function adviceForSecret(failure: string | undefined, id: string): string {
  switch (failure) {
    case 'denied':
    case 'expired-credentials':
      return 'Let the role of this process read it, or renew its credentials; holdfast doctor says who asks.';
    case 'not-found':
    case 'deleted':
      return `Create ${id} at the provider, or name another one in the config.`;
    case 'transient':
    case 'throttled':
      return 'It is tried again by itself.';
    case undefined:
    default:
      return 'holdfast doctor tries it, and says what is wrong.';
  }
}

function ofStore({ state, waiting, error }: NonNullable<Status['store']>): Wrong {
  const why = error === undefined ? state : `${error.code}: ${error.message}`;
  return {
    key: 'store',
    kind: 'store',
    level: 'bad',
    name: 'store',
    why:
      waiting > 0
        ? `${why} · ${short(waiting)} ${waiting === 1 ? 'instance waits' : 'instances wait'} for it`
        : why,
    advice:
      state === 'locked'
        ? 'Another process owns it; nothing durable runs here any more. Restart this one when it is to go on.'
        : 'Nothing that rests on it is told meanwhile. It is tried again; see whether its disk or database is there.',
  };
}

function sinceOf(at: number | undefined): { since?: number } {
  return at === undefined ? {} : { since: at };
}
