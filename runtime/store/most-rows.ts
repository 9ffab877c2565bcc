/** The most rows of one address that wait in the store: beyond it nothing more is taken. */
export const MOST_ROWS = 100_000;

/** From how many rows on those who send an address more are to do it more slowly: four fifths of the most. */
export function crowdedFrom(mostRows: number): number {
  return 0.8 * mostRows;
}
