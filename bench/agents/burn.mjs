// Plain JavaScript, because the workers of the pools load it as well: their start must not pay for stripping types.
// Xorshift uses nothing but 32-bit operations, which every compiler of V8 does well. With an addition, that may leave
// 32 bits, the same loop was five times slower in some threads than in others, and a row showed nothing but that.
export function burn(steps) {
  let x = 1;
  for (let i = 0; i < steps; i++) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
  }
  // Uses the result, so that the work cannot be left out.
  return x === 0 ? -steps : steps;
}
