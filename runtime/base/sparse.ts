/** Below it holes cost nothing worth a look. */
const FEW = 1000;

/**
 * Whether a list is mostly holes, of which there may be four thousand million: then only its keys are walked, because
 * structured clone carries such a list at the cost of what is in it. May throw where reading an item does.
 */
export function isSparse(list: readonly unknown[]): boolean {
  return list.length > FEW && Object.values(list).length < list.length / 2;
}
