/** Keeps a core busy: about 0.2 ms for 100,000 steps. Answers with `steps`. */
export function burn(steps: number): number {
  let x = 1;
  for (let i = 0; i < steps; i++) x = (Math.imul(x, 1_664_525) + 1_013_904_223) | 0;
  // Uses the result, so that the loop cannot be left out.
  return x === 0 ? -steps : steps;
}
