// What a task is, in every pool: the same as an event for the counting agents.
import { burn } from '../agents/burn.mjs';

let count = 0;

export default function task({ type, n }) {
  if (type === 'read') return count;
  if (type === 'work') return burn(n);
  count += 1;
  return n;
}
