/** What of a run is taken: rows by their names, and peers or none. */
let pattern: RegExp | undefined;

/** Only rows whose names match are run from now on. */
export function selectRows(text: string): void {
  pattern = new RegExp(text, 'i');
}

export function isSelected(row: string): boolean {
  return pattern?.test(row) ?? true;
}

/** Whether a row may be missing because it was not chosen. */
export function isPartial(): boolean {
  return pattern !== undefined || isBeside;
}

/** Whether this run compares two builds: peers take no part in that. */
export const isBeside = process.env['HOLDFAST_BENCH_SIDE'] !== undefined;
