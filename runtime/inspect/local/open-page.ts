import type { Clock } from '../../base/clock.ts';
import type { DeadLetter } from '../../dead-letters/dead-letters.ts';
import type { Logger } from '../../base/logger.ts';
import type { RuntimeStatus } from '../../telling/status.ts';
import { jsonSafe } from '../../wire/inspection.ts';
import type { InspectOptions } from '../inspect-options.ts';
import type { InspectionHub } from '../inspection-hub.ts';
import { Search } from './search.ts';
import { fleetQuestion, Fleets } from './fleets.ts';
import { PageFigures } from './page-figures.ts';
import { startLocalInspector, type Question, type RunningInspector } from './local-inspector.ts';
import { mostLetters, pageActions, type ActedOn } from './page-actions.ts';

export interface InspectedSystem extends ActedOn {
  readonly inspection: InspectionHub | undefined;
  readonly clock: Clock;
  status(): RuntimeStatus;
}

/**
 * Serves the page that a runtime's options ask for, and tells where it is. A link is written to stderr alone, when there is
 * no logger: logs are kept, and read by others.
 */
export async function openPage(
  system: InspectedSystem,
  options: InspectOptions,
  logger: Logger | undefined,
): Promise<RunningInspector | undefined> {
  const { inspection: hub } = system;
  if (hub === undefined || options.page === undefined) return undefined;
  const fleets = new Fleets({ hub, clock: system.clock, status: () => system.status() });
  const figures = new PageFigures();
  const page = await startLocalInspector({
    hub,
    clock: system.clock,
    page: options.page,
    port: options.port,
    questions: questionsOf(fleets, hub, system.clock),
    figures: (ids) => ({
      ...figures.of(fleets.status, ids),
      fleets: fleets.summaries(),
      letters: system.listDeadLetters().slice(-mostLetters).map(shown),
      unlisted: hub.unknown,
    }),
    actions: pageActions(system),
    allowSend: options.allowSend === true,
    failed: (error, what) => system.logger.warn({ error }, `${what} failed in the inspector; it goes on`),
  });
  if (logger === undefined) process.stderr.write(`holdfast: the inspector is at ${page.link()}\n`);
  else
    logger.info(
      { url: page.url },
      'the inspector is there; runtime.inspector.link() or holdfast inspect gives a link to it',
    );
  return page;
}

/** What a page may ask for, beside what it is told by itself. */
export function questionsOf(
  fleets: Fleets,
  hub: Pick<InspectionHub, 'actors' | 'scrub'>,
  clock: Clock,
): ReadonlyMap<string, Question> {
  const search = new Search({ hub, clock, status: () => fleets.status });
  return new Map<string, Question>([
    [
      '/fleet',
      (asked) => {
        const question = fleetQuestion(asked);
        return question && { fleet: fleets.fleet(question) };
      },
    ],
    [
      '/search',
      async (asked, signal) => {
        const { query } = asked as { query?: unknown };
        return typeof query === 'string' ? search.find(query, signal) : undefined;
      },
    ],
  ]);
}

function shown({ id, address, reason, event, at, replays, evidence }: DeadLetter): object {
  const cause = evidence?.cause;
  return { id, address, reason, at, replays, cause, event: jsonSafe(event, undefined, 4) };
}
