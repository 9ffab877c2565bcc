import { HoldfastError } from '../base/errors.ts';
import type { StepOf } from '../wire/protocol.ts';
import type { Seats } from './seats.ts';

/** Commits what a step of an instance has returned; every argument is the thread's own word. */
export type KeepStep = (slot: number, incarnation: number, step: StepOf) => Promise<void>;

/** Commits the steps of the instances of one thread. */
export function keepingSteps(seats: Pick<Seats, 'at'>): KeepStep {
  return (slot, incarnation, step) => {
    const seat = seats.at(slot);
    const here = seat !== undefined && seat.instance.holds(seat) && !seat.unfit ? seat.instance : undefined;
    if (here === undefined || here.incarnation !== incarnation) throw ended();
    const { continuation } = here;
    const kept = continuation.commitStep(step);
    if (kept instanceof HoldfastError) throw kept;
    return new Promise((resolve, reject) => {
      const settled = (): void => (continuation.isFenced ? reject(ended()) : resolve());
      if (kept === undefined) settled();
      else kept.whenSettled(settled);
    });
  };
}

function ended(): HoldfastError {
  return new HoldfastError(
    'AGENT_STOPPED',
    'the instance ended before its step was committed; the next incarnation finds out, or does it again',
  );
}
