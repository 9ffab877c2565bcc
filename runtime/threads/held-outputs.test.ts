import { expect, test } from 'vitest';
import { Ticket } from '../base/ticket.ts';
import { HeldOutputs } from './held-outputs.ts';

test('what is held waits for all tickets before it, in whatever order they settle', () => {
  const held = new HeldOutputs();
  const [large, small, last] = [new Ticket(), new Ticket(), new Ticket()];
  const told: string[] = [];
  held.let(() => told.push('at once'));
  held.hold(large);
  held.hold(small);
  held.let(() => told.push('of both'));
  held.hold(last);
  held.let(() => told.push('of all'));
  small.settle();
  last.settle();
  expect(told).toEqual(['at once']);
  expect(held.idle).toBe(false);
  large.settle();
  expect(told).toEqual(['at once', 'of both', 'of all']);
  expect(held.idle).toBe(true);
});
