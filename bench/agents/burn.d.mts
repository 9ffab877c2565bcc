/** Keeps a core busy: about 0.2 ms for 120,000 steps. Answers with `steps`. */
export function burn(steps: number): number;
