import type { Clock } from '../../base/clock.ts';
import type { InspectionEvent } from '../../wire/inspection.ts';
import type { InspectionHub } from '../inspection-hub.ts';
import type { Viewer } from './audience.ts';
import { latestOf } from './latest-of.ts';

/** One who reads Stately's events as they are, each with all that it carries: their page, and programs at the relay. */
export function wholeViewer({
  hub,
  clock,
  write,
  isFull,
}: {
  readonly hub: Pick<InspectionHub, 'replay' | 'actor' | 'scrub'>;
  readonly clock: Pick<Clock, 'date'>;
  readonly write: (kind: 'replay' | 'events', events: readonly InspectionEvent[]) => void;
  readonly isFull: () => boolean;
}): Viewer {
  return {
    begin: () => write('replay', hub.replay()),
    tell: (events) => write('events', events),
    catchUp(missed) {
      const events = latestOf(hub, missed, clock.date());
      if (events.length > 0) write('events', events);
    },
    isFull,
  };
}
