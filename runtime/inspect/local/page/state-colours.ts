/** Classes of the style sheet that states are told apart by; more states than that share them. */
const HUES = 8;
/** Phases that somebody has to look at. */
const LEVELS: Readonly<Record<string, string>> = { 'is:quarantined': 'bad', 'is:restarting': 'warn' };

/** The class of a state's colour: the same on its box, in lists and in bars. */
export function hueOf({ name, place }: { readonly name: string; readonly place?: number }): string {
  if (place !== undefined) return `hue-${place % HUES}`;
  return `hue-${LEVELS[name] ?? 'none'}`;
}

/** How a state, or a phase, is called. */
export function stateLabel(name: string): string {
  return name.replace(/^is:/, '');
}
