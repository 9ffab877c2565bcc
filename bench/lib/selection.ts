/** What of a run is taken: rows by their names, and peers or none. */
let pattern: RegExp | undefined;

let part: RegExp | undefined;
let peers = process.env['HOLDFAST_BENCH_SIDE'] === undefined;

/** Only rows whose names match are run from now on. */
export function selectRows(text: string): void {
  pattern = new RegExp(text, 'i');
}

/** Of what comes next, only rows whose names match as well; all again without a pattern. */
export function selectPart(rows?: RegExp): void {
  part = rows;
}

export function isSelected(row: string): boolean {
  return (pattern?.test(row) ?? true) && (part?.test(row) ?? true);
}

/** Whether a row may be missing because it was not chosen. */
export function isPartial(): boolean {
  return pattern !== undefined || part !== undefined || !peers;
}

/** To be said before a suite is loaded. */
export function leaveOutPeers(): void {
  peers = false;
}

/** Peers take no part where two builds are compared. */
export function hasPeers(): boolean {
  return peers;
}
