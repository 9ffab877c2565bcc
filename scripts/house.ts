// Prints the house: its rooms by floors, what leads from each to others, what leads back up, and the files that import each
// other in a circle, types included. Fails when something leads back up or round. `npm run house -- [--tests] [folder]`:
// with tests and fixtures; of another tree than this one.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { arrowsUp, circlesIn, floorsOf } from './house/floors.ts';
import { type Graph, importGraph, isProject, roomOf } from './house/import-graph.ts';

const { values, positionals } = parseArgs({
  options: { tests: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const root = positionals[0] ?? fileURLToPath(new URL('../', import.meta.url));
if (!isProject(root)) throw new Error(`${root} has no runtime/index.ts; name the root of the project`);

const graph = importGraph(root, values.tests);
const counts = countsOf(graph);
const rooms = new Map(Array.from(counts, ([room, to]) => [room, [...to.keys()]]));
const up = arrowsUp(rooms);
const isUp = (from: string, to: string): boolean => up.some(([a, b]) => a === from && b === to);
const down = new Map(Array.from(rooms, ([from, to]) => [from, to.filter((one) => !isUp(from, one))]));
const floors = floorsOf(down);
const circles = circlesIn(graph);
const highest = Math.max(...floors.values());
const arrows = [...rooms.values()].flat().length;

console.log(
  `${rooms.size} rooms on ${highest + 1} floors, ${arrows} arrows, ${up.length} of them back up, ${circles.length} circles of files`,
);
for (let floor = highest; floor >= 0; floor -= 1) {
  console.log(`\nfloor ${floor}`);
  for (const [room, to] of counts) {
    if (floors.get(room) !== floor) continue;
    const files = [...graph.keys()].filter((file) => roomOf(file) === room).length;
    const below = Array.from(to, ([one, count]) => `${one.replace('runtime/', '')} ${count}`).join(', ');
    console.log(`  ${room} (${files} ${files === 1 ? 'file' : 'files'})${below === '' ? '' : `: ${below}`}`);
  }
}
if (up.length > 0) console.log('\nback up');
for (const [from, to] of up) {
  console.log(`  ${from} -> ${to}`);
  for (const [file, imported] of graph)
    for (const one of imported)
      if (roomOf(file) === from && roomOf(one) === to) console.log(`    ${file} imports ${one}`);
}
if (circles.length > 0) console.log('\ncircles');
for (const circle of circles) console.log(`  ${circle.join(' ')}`);
// A test may import everything.
if (circles.length > 0 || (up.length > 0 && !values.tests)) process.exitCode = 1;

/** By room, how many imports lead to each other room. */
function countsOf(graph: Graph): Map<string, Map<string, number>> {
  const counts = new Map<string, Map<string, number>>();
  for (const file of graph.keys()) {
    const room = roomOf(file);
    if (room !== undefined) counts.set(room, counts.get(room) ?? new Map());
  }
  for (const [file, imported] of graph) {
    const from = counts.get(roomOf(file) ?? '');
    for (const one of imported) {
      const to = roomOf(one);
      if (from === undefined || to === undefined || to === roomOf(file)) continue;
      from.set(to, (from.get(to) ?? 0) + 1);
    }
  }
  return new Map(
    [...counts]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([room, to]) => [room, new Map([...to].toSorted(([a], [b]) => (a < b ? -1 : 1)))]),
  );
}
