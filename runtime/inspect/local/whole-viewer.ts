import type { Clock } from '../../base/clock.ts';
import { isInspection, type Shown } from '../../wire/inspection.ts';
import type { InspectionHub } from '../inspection-hub.ts';
import type { Viewer } from './audience.ts';
import { latestOf } from './latest-of.ts';

/** One who reads Stately's events as they are, each with all that it carries: their page, and programs at the relay. */
export function wholeViewer({
  hub,
  clock,
  write,
  isFull,
  hasLines = false,
  tick,
}: {
  readonly hub: Pick<InspectionHub, 'replay' | 'actor' | 'scrub'>;
  readonly clock: Pick<Clock, 'date'>;
  readonly write: (kind: 'replay' | 'events', events: readonly Shown[]) => void;
  /** Lines of the log are told, too. */
  readonly hasLines?: boolean;
  readonly tick?: () => void;
  readonly isFull: () => boolean;
}): Viewer {
  return {
    begin: () => write('replay', hub.replay()),
    tell(events) {
      const told = hasLines ? events : events.filter(isInspection);
      if (told.length > 0) write('events', told);
      return undefined;
    },
    catchUp(missed) {
      const events = latestOf(hub, missed, clock.date());
      if (events.length > 0) write('events', events);
    },
    ...(tick !== undefined && { tick }),
    isFull,
  };
}
