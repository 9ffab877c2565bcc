/**
 * The line, from 1, at which the value at a path stands in `JSON.stringify(value, null, 2)`; that of what should have it
 * when it is missing.
 */
export function lineOf(value: unknown, path: readonly (string | number)[]): number {
  let line = 1;
  let at = value;
  for (const key of path) {
    const entries = entriesOf(at);
    const nth = entries.findIndex(([name]) => name === String(key));
    const found = entries[nth];
    if (found === undefined) break;
    line += 1 + entries.slice(0, nth).reduce((sum, [, before]) => sum + linesOf(before), 0);
    at = found[1];
  }
  return line;
}

function linesOf(value: unknown): number {
  const entries = entriesOf(value);
  if (entries.length === 0) return 1;
  return entries.reduce((sum, [, part]) => sum + linesOf(part), 2);
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

/** Where a line, from 1, begins and ends in a text. */
export function rangeOf(text: string, line: number): readonly [start: number, end: number] {
  const lines = text.split('\n');
  const start = lines.slice(0, line - 1).reduce((sum, { length }) => sum + length + 1, 0);
  return [start, start + (lines[line - 1]?.length ?? 0)];
}
