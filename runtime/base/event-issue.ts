/** One thing that does not fit a schema: where it stands and what is wanted there, never what was found. */
export interface EventIssue {
  /** The keys that lead to it from the event; empty for the event itself. At most 16, of at most 64 characters each. */
  readonly path: readonly (string | number)[];
  /**
   * What the schema wants there, in its library's words, such as `number` or `too_small`; at most 200 characters. Absent
   * where the library says it only in a message, which may repeat the value.
   */
  readonly expected?: string;
}

/** The most issues of one event: enough to mend it, and bounded, since a schema may find one in each of a million items. */
export const MOST_ISSUES = 16;
export const DEEPEST_PATH = 16;
export const LONGEST_KEY = 64;
export const LONGEST_EXPECTED = 200;

/** An event that does not fit, in words, for errors and dead letters. */
export function issuesInWords(type: string, issues: readonly EventIssue[]): string {
  return `an event of the type "${type.slice(0, LONGEST_KEY)}" does not fit what the agent accepts: ${placesOf(issues)}`;
}

/** Where something does not fit, in words. */
export function placesOf(issues: readonly EventIssue[]): string {
  const found = issues.map(({ path, expected }) => {
    const where = path.length === 0 ? 'the event' : path.join('.');
    return expected === undefined ? where : `${where} (${expected})`;
  });
  return found.join(', ');
}

/** Whether the value is what {@link EventIssue} promises: threads send them. */
export function areEventIssues(value: unknown): value is readonly EventIssue[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MOST_ISSUES) return false;
  for (let i = 0; i < value.length; i++) if (!isEventIssue(value[i])) return false;
  return true;
}

function isEventIssue(value: unknown): value is EventIssue {
  if (typeof value !== 'object' || value === null) return false;
  const { path, expected } = value as Partial<EventIssue>;
  if (!Array.isArray(path) || path.length > DEEPEST_PATH) return false;
  for (let i = 0; i < path.length; i++) {
    const key: unknown = path[i];
    if (typeof key !== 'number' && !(typeof key === 'string' && key.length <= LONGEST_KEY)) return false;
  }
  return expected === undefined || (typeof expected === 'string' && expected.length <= LONGEST_EXPECTED);
}
