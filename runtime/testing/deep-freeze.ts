/**
 * Freezes plain objects and arrays, all the way down. Whoever changes an event after having sent it finds out here;
 * in production it would depend on the moment what arrives.
 */
export function deepFreeze(value: unknown): void {
  const seen = new Set<object>();
  const open = [value];
  while (open.length > 0) {
    const at = open.pop();
    if (typeof at !== 'object' || at === null || seen.has(at) || !isPlain(at)) continue;
    seen.add(Object.freeze(at));
    // Not what a getter would say.
    for (const { value: inner } of Object.values(Object.getOwnPropertyDescriptors(at))) open.push(inner);
  }
}

function isPlain(value: object): boolean {
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
