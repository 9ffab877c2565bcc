import { createReadStream } from 'node:fs';
import { systemClock } from '../../base/clock.ts';
import { HoldfastError } from '../../base/errors.ts';
import type { InstanceStatus, RuntimeStatus } from '../../telling/status.ts';
import type { InspectionEvent, Shown } from '../../wire/inspection.ts';
import { isPlain } from '../../wire/shapes.ts';
import { isInspectionEvent } from '../inspection-shape.ts';
import type { KnownActor } from '../inspection-hub.ts';
import { Fleets } from './fleets.ts';
import { type RunningInspector, startLocalInspector } from './local-inspector.ts';
import { questionsOf } from './open-page.ts';
import { PageFigures } from './page-figures.ts';
import { isStatusLine } from './status-line.ts';

/** Characters of the events that are shown, the latest of the file; of actors all are. */
const mostShown = 32_000_000;
/** Characters of a line; the status of 10,000 instances has 4 million. */
const longestLine = 16_000_000;
const mostActors = 50_000;
/** Events that go to the page together. */
const perBatch = 100;

interface Kept {
  readonly actor: InspectionEvent & { readonly type: '@xstate.actor' };
  last: (InspectionEvent & { readonly type: '@xstate.snapshot' }) | undefined;
  since: number;
}

/** What a file of a record has: each event a line of JSON, and lines with the status of the runtime. */
class RecordedRun {
  readonly #actors = new Map<string, Kept>();
  readonly #events: string[] = [];
  #size = 0;
  #status: RuntimeStatus | undefined;
  /** The time of the last of it. */
  at = 0;

  add(line: string, value: unknown): boolean {
    if (isStatusLine(value)) {
      this.#status = value.status;
      this.at = Math.max(this.at, Number(value.createdAt));
      return true;
    }
    if (!isInspectionEvent(value)) return false;
    this.at = Math.max(this.at, Number(value.createdAt));
    this.#learn(value);
    this.#events.push(line);
    this.#size += line.length;
    let gone = 0;
    while (this.#size > mostShown) this.#size -= this.#events[gone++]?.length ?? 0;
    if (gone > 0) this.#events.splice(0, gone);
    return true;
  }

  #learn(event: Shown): void {
    const { sessionId, createdAt } = event;
    const known = this.#actors.get(sessionId);
    if (event.type === '@xstate.actor') {
      if (known === undefined && this.#actors.size >= mostActors) return;
      // At the end: behind its parent, wherever that is now.
      this.#actors.delete(sessionId);
      this.#actors.set(sessionId, { actor: event, last: undefined, since: Number(createdAt) });
    } else if (event.type === '@xstate.snapshot' && known !== undefined) {
      if (event.snapshot.value !== (known.last?.snapshot ?? known.actor.snapshot).value)
        known.since = Number(createdAt);
      known.last = event;
    }
  }

  /** An actor and its last state; nothing for one that the record has not. */
  latest(id: string): InspectionEvent[] {
    const { actor, last } = this.#actors.get(id) ?? {};
    return [actor, last].filter((event) => event !== undefined);
  }

  actor(id: string): KnownActor | undefined {
    const kept = this.#actors.get(id);
    return kept && known(kept);
  }

  /** All actors, also those that have ended, each behind its parent. */
  *actors(): Generator<KnownActor, void> {
    const told = new Set<string>();
    for (const kept of this.#actors.values()) {
      const outwards: Kept[] = [];
      for (
        let at: Kept | undefined = kept;
        at !== undefined;
        at = this.#actors.get(at.actor.parentId ?? '')
      ) {
        if (told.has(at.actor.sessionId)) break;
        told.add(at.actor.sessionId);
        outwards.push(at);
      }
      yield* outwards.toReversed().map(known);
    }
  }

  /** The events in batches, as JSON. */
  batches(): string[] {
    const batches: string[] = [];
    for (let at = 0; at < this.#events.length; at += perBatch)
      batches.push(`[${this.#events.slice(at, at + perBatch).join(',')}]`);
    return batches;
  }

  /** The last one of the file; where it has none, what the actors tell. */
  get status(): RuntimeStatus {
    return this.#status ?? this.#known();
  }

  #known(): RuntimeStatus {
    const instances = Array.from(this.#actors.values()).flatMap(({ actor }): InstanceStatus[] =>
      actor.holdfast === undefined
        ? []
        : [
            {
              address: actor.sessionId,
              agent: actor.sessionId.split('/')[0] ?? '',
              threadId: actor.holdfast.threadId,
              incarnation: 1,
              restarts: 0,
              state: 'running',
              handled: 0,
              mailbox: 0,
              capacity: 0,
            } as InstanceStatus,
          ],
    );
    return {
      version: '',
      state: 'running',
      uptimeMs: 0,
      pools: [],
      instances,
      secrets: [],
      secretProviders: [],
      deadLetters: 0,
      restarts: 0,
    } as unknown as RuntimeStatus;
  }
}

/**
 * Serves the page with what a file of `recordRun`, or of an adapter that writes each event as a line of JSON, has recorded. It
 * shows the latest 32 million characters of the events, and all actors as they were at the end.
 *
 * @throws {HoldfastError} `OPTION_INVALID`: the file cannot be read, or a line of it is no event
 */
export async function openRecord(file: string): Promise<RunningInspector> {
  const run = await readRun(file);
  const clock = systemClock;
  const hub = {
    listen: () => () => {},
    replay: (ids?: Iterable<string>) => Array.from(ids ?? [], (id) => run.latest(id)).flat(),
    actor: (id: string) => run.actor(id),
    actors: () => run.actors(),
    // As it was told.
    scrub: <T>(value: T): T => value,
  };
  const fleets = new Fleets({ hub, clock, status: () => run.status });
  const figures = new PageFigures();
  return startLocalInspector({
    hub,
    clock,
    page: 'local',
    recorded: run.batches(),
    questions: questionsOf(fleets, hub, clock),
    figures: (ids) => ({
      ...figures.of(run.status, ids),
      fleets: fleets.summaries(),
      recordedAt: run.at,
    }),
    failed: () => {},
  });
}

function known({ actor, last, since }: Kept): KnownActor {
  const { sessionId: id, name, parentId, definition, holdfast, snapshot } = actor;
  const state = last?.snapshot ?? snapshot;
  return { id, name, parentId, isInstance: holdfast !== undefined, definition, state, since };
}

async function readRun(file: string): Promise<RecordedRun> {
  const run = new RecordedRun();
  let n = 0;
  let rest = '';
  const refuse = (why: string): HoldfastError =>
    new HoldfastError(
      'OPTION_INVALID',
      `${file} is no record of an inspector: ${why}; \`holdfast inspect --record <file>\` makes one`,
    );
  const take = (line: string): void => {
    n += 1;
    if (line.trim() === '') return;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw refuse(`line ${n} is no JSON`);
    }
    if (!run.add(line, value)) throw refuse(`line ${n} is no event`);
  };
  try {
    for await (const chunk of createReadStream(file, 'utf8')) {
      const lines = (rest + (chunk as string)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) take(line);
      if (rest.length > longestLine) throw refuse(`line ${n + 1} has more than ${longestLine} characters`);
    }
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    const { code = 'error' } = error as NodeJS.ErrnoException;
    throw new HoldfastError('OPTION_INVALID', `${file} cannot be read (${code})`, { cause: error });
  }
  // The last line of one that was ended while it wrote is not whole.
  if (isPlain(parsed(rest))) take(rest);
  if (run.at === 0) throw refuse('there is nothing in it');
  return run;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
