/**
 * Stands around the numbers of the parts of a long text, in place of its literal. JSON has no such character: in a text it
 * is written as an escape.
 */
export const MARK = '\u0001';

/** The numbers of parts end below this; before that all begins anew. */
export const ALL_NUMBERS = 2 ** 21;

/** Numbers and parts in turn: those that were not told before. Number 1 begins anew: none before it is meant any more. */
export type NewTexts = readonly (number | string)[];

/** The numbers of the parts in a marked text, in order; what stands there may be anything. */
export function numbersIn(text: string): number[] {
  const pieces = text.split(MARK);
  const numbers: number[] = [];
  for (let i = 1; i < pieces.length; i += 2)
    for (const number of (pieces[i] as string).split(',')) numbers.push(Number(number));
  return numbers;
}

/** Puts the parts back into a marked text. */
export function withoutMarks(text: string, partOf: (number: number) => string): string {
  const pieces = text.split(MARK);
  for (let i = 1; i < pieces.length; i += 2)
    pieces[i] = (pieces[i] as string)
      .split(',')
      .map((number) => partOf(Number(number)))
      .join('');
  return pieces.join('');
}
