import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../base/clock.ts';
import type { InstanceStatus, RuntimeStatus } from '../../telling/status.ts';
import type { InspectionHub } from '../inspection-hub.ts';
import { parseQuery, type Comparison, type Query, type Term } from './search-query.ts';
import { leavesOf } from './state-values.ts';

export interface SearchOptions {
  readonly hub: Pick<InspectionHub, 'actors' | 'scrub'>;
  readonly status: () => RuntimeStatus;
  readonly clock: Pick<Clock, 'now'>;
}

export type Found =
  | {
      /** The first of them. */
      readonly ids: readonly string[];
      readonly total: number;
      /** There was no time for all. */
      readonly isPartial: boolean;
    }
  /** What cannot be read. */
  | { readonly problem: string };

export const mostFound = 500;
/** Milliseconds for which the host does nothing else, and in which a search has to be done. */
const SLICE_MS = 5;
const GIVEN_UP_MS = 3000;
/** Actors that are looked at between two looks at the clock. */
const perLook = 16;

/** An actor, as it may be compared with what somebody asks for: without the values of secrets. */
interface Shown {
  readonly id: string;
  readonly states: () => readonly string[];
  readonly tags: () => readonly string[];
  /** A part of its context; undefined: there is none. */
  readonly at: (path: readonly string[]) => unknown;
  readonly instance: InstanceStatus | undefined;
}

/**
 * Finds actors by address, state, tag, context, and what is wrong with them. What is compared was scrubbed before, so no
 * answer tells whether somebody has guessed the value of a secret, or a part of it.
 */
export class Search {
  readonly #options: SearchOptions;

  constructor(options: SearchOptions) {
    this.#options = options;
  }

  /** In slices between which others have their turn. `signal`: nobody waits for it any more. */
  async find(typed: string, signal: AbortSignal): Promise<Found> {
    const query = parseQuery(typed);
    if (typeof query === 'string') return { problem: query };
    const { clock, hub } = this.#options;
    const readable = this.#readable(query);
    const began = clock.now();
    const ids = new Set<string>();
    let [total, looked, until] = [0, 0, began + SLICE_MS];
    for (const shown of this.#all()) {
      looked += 1;
      if (looked % perLook === 0 && clock.now() > until) {
        // oxlint-disable-next-line no-await-in-loop -- others have their turn
        await nextTurn();
        const now = clock.now();
        if (signal.aborted || now - began > GIVEN_UP_MS) return { ids: [...ids], total, isPartial: true };
        until = now + SLICE_MS;
      }
      if (!readable.every((term) => isMatch(term, shown) !== term.isNot)) continue;
      total += 1;
      if (ids.size < mostFound) ids.add(hub.scrub(shown.id));
    }
    return { ids: [...ids], total, isPartial: false };
  }

  /** A key that holds the value of a secret is never shown, so it is not there. */
  #readable({ terms }: Query): readonly Term[] {
    const { hub } = this.#options;
    return terms.map((term) =>
      term.kind === 'context' && term.path.some((key) => hub.scrub(key) !== key)
        ? { ...term, path: [] }
        : term,
    );
  }

  *#all(): Generator<Shown, void> {
    const { hub, status } = this.#options;
    const instances = new Map(status().instances.map((instance) => [instance.address, instance]));
    for (const { id, state } of hub.actors()) {
      const instance = instances.get(id);
      instances.delete(id);
      yield {
        id: hub.scrub(id),
        states: () => leavesOf(state.value).map((name) => hub.scrub(name)),
        tags: () => hub.scrub(state.tags ?? []),
        at: (path) => hub.scrub({ part: partAt(state.context, path) }).part,
        instance,
      };
    }
    const none = (): readonly string[] => [];
    // Those that no thread has now.
    for (const [address, instance] of instances)
      if (instance.state !== 'ended')
        yield { id: hub.scrub(address), states: none, tags: none, at: () => undefined, instance };
  }
}

function isMatch(term: Term, shown: Shown): boolean {
  const { text } = term;
  if (term.kind === 'context') {
    const found = shown.at(term.path);
    if (found === undefined || term.path.length === 0) return false;
    return term.by === undefined || isAs(found, term.by, text);
  }
  if (term.kind === 'text') return shown.id.toLowerCase().includes(text);
  // `tool` is found in `thinking.tool.running`, as `thinking` and `thinking.tool` are.
  if (term.kind === 'state') return shown.states().some((name) => `.${name}.`.includes(`.${text}.`));
  return term.kind === 'tag' ? shown.tags().includes(text) : isSo(text, shown.instance);
}

function isSo(what: string, instance: InstanceStatus | undefined): boolean {
  if (instance === undefined) return false;
  const { state, failure, quarantine, mailbox, capacity } = instance;
  if (what === 'failed') return failure !== undefined || quarantine !== undefined;
  if (what === 'waiting') return mailbox > 0;
  return what === 'full' ? mailbox >= capacity : state === what;
}

/** Of a list: whether one of it is so. */
function isAs(found: unknown, by: Comparison, text: string): boolean {
  if (by === '!=') return !isAs(found, '=', text);
  if (Array.isArray(found)) return found.some((item) => isAs(item, by, text));
  if (by === '~') return wordsOf(found).toLowerCase().includes(text.toLowerCase());
  if (by === '=') return typeof found === 'object' && found !== null ? false : String(found) === text;
  if (typeof found !== 'number' || text.trim() === '') return false;
  const limit = Number(text);
  if (by === '<') return found < limit;
  if (by === '<=') return found <= limit;
  return by === '>' ? found > limit : found >= limit;
}

function wordsOf(found: unknown): string {
  return typeof found === 'string' ? found : (JSON.stringify(found) ?? '');
}

/** Its own fields only. */
function partAt(root: unknown, path: readonly string[]): unknown {
  let part = root;
  for (const key of path) {
    if (typeof part !== 'object' || part === null || !Object.hasOwn(part, key)) return undefined;
    part = (part as Readonly<Record<string, unknown>>)[key];
  }
  return part;
}
