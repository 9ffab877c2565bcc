// Plain JavaScript, because the workers of the pools load it as well: their start must not pay for stripping types.
export function burn(steps) {
  let x = 1;
  for (let i = 0; i < steps; i++) x = (Math.imul(x, 1_664_525) + 1_013_904_223) | 0;
  // Uses the result, so that the loop cannot be left out.
  return x === 0 ? -steps : steps;
}
