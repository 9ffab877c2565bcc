import type { StandardSchemaV1 } from '@standard-schema/spec';
import {
  DEEPEST_PATH,
  LONGEST_EXPECTED,
  LONGEST_KEY,
  MOST_ISSUES,
  type EventIssue,
} from '../base/event-issue.ts';

export type Checked = { readonly value: unknown } | { readonly issues: readonly EventIssue[] };

/**
 * The value as the schema gives it, with its defaults and transforms, or what does not fit. Never throws and never waits:
 * a schema that throws, or answers with a promise, fits nothing.
 */
export function checked(schema: StandardSchemaV1, value: unknown): Checked {
  try {
    const result = schema['~standard'].validate(value);
    if (isPromise(result)) {
      result.then(ignored, ignored);
      return failed('a schema that is not async: a turn cannot wait for it');
    }
    if (!result.issues) return { value: result.value };
    // Some libraries' lists are lists of a class of their own.
    const issues = Array.from(result.issues).slice(0, MOST_ISSUES).map(issueOf);
    return issues.length === 0 ? failed('a schema that says what does not fit') : { issues };
  } catch (error) {
    return failed(`a schema that does not throw: ${error instanceof Error ? error.name : 'it threw'}`);
  }
}

function failed(expected: string): Checked {
  return { issues: [{ path: [], expected: expected.slice(0, LONGEST_EXPECTED) }] };
}

function ignored(): void {}

function isPromise(result: object): result is PromiseLike<unknown> {
  return typeof (result as { readonly then?: unknown }).then === 'function';
}

/** Without the message: in some libraries it repeats what it found. What was expected stands beside it, in all of them. */
function issueOf(issue: StandardSchemaV1.Issue): EventIssue {
  const path = Array.from(issue.path ?? [])
    .slice(0, DEEPEST_PATH)
    .map(keyOf);
  const { expected, code, type } = issue as { expected?: unknown; code?: unknown; type?: unknown };
  const said = [expected, code, type].find((word) => typeof word === 'string' && word !== '');
  return said === undefined ? { path } : { path, expected: (said as string).slice(0, LONGEST_EXPECTED) };
}

function keyOf(segment: PropertyKey | StandardSchemaV1.PathSegment): string | number {
  const key = typeof segment === 'object' ? segment.key : segment;
  return typeof key === 'number' ? key : String(key).slice(0, LONGEST_KEY);
}
