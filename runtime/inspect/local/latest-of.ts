import { INSPECT_VERSION, ROOT_ID, type InspectionEvent } from '../../wire/inspection.ts';
import type { InspectionHub } from '../inspection-hub.ts';
import type { Missed } from './audience.ts';

/**
 * What is now of actors of which something was left out: that they began, if that is among it, and their last states; that they have
 * ended, of those that are gone.
 */
export function latestOf(
  hub: Pick<InspectionHub, 'replay' | 'actor' | 'scrub'>,
  missed: readonly Missed[],
  date: number,
): InspectionEvent[] {
  return missed.flatMap(({ id, hasBegun }) => {
    if (hub.actor(id) === undefined) return hasBegun ? [] : [hub.scrub(ending(id, date))];
    const all = hub.replay([id]);
    return hasBegun ? all : all.filter(({ type }) => type === '@xstate.snapshot');
  });
}

function ending(sessionId: string, date: number): InspectionEvent {
  return {
    type: '@xstate.snapshot',
    rootId: ROOT_ID,
    sessionId,
    createdAt: String(date),
    id: `ended:${sessionId}:${date}`,
    _version: INSPECT_VERSION,
    event: { type: 'xstate.stop' },
    snapshot: { status: 'stopped', output: undefined, error: undefined },
  };
}
