import { expect, it } from 'vitest';
import { counted } from '../../actors/fixtures/counted.ts';
import { createProgress } from '../wire/progress.ts';
import type { Seat } from './seat.ts';
import { Seats, type SeatsOptions } from './seats.ts';

/** Seats of which nobody leaves, each with one link; `reads`: of what hangs on the seats. */
function taken(many: number) {
  const seats = new Seats({ progress: createProgress() } as SeatsOptions);
  let reads = (): number => 0;
  const all = Array.from({ length: many }, () => {
    const before = reads;
    const one = counted({ slot: -1, base: 0, toldBase: 0, links: new Map([[1, { slot: -2 }]]) });
    reads = () => before() + one.reads();
    return one.value as unknown as Seat;
  });
  for (const seat of all) seats.assignSlot(seat);
  const links = all.map((seat) => seats.takeSlot(seat).slot);
  return { seats, all, links, reads: () => reads() };
}

it('finds the seat that a link counts for, without a look at the others', () => {
  const cost = [10, 1_000].map((many) => {
    const { seats, all, links, reads } = taken(many);
    const before = reads();
    expect(seats.countedBy(links[many - 1] as number)).toBe(all[many - 1]);
    expect(seats.countedBy(all[0]?.slot as number)).toBe(all[0]);
    return reads() - before;
  });
  expect(cost[1]).toBe(cost[0]);
});

it('finds none for a slot of a link that has ended', () => {
  const { seats, links } = taken(3);
  seats.freeSlot(links[1] as number);
  expect(seats.countedBy(links[1] as number)).toBe(undefined);
  expect(seats.countedBy(99)).toBe(undefined);
});
