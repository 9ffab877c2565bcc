import type { z } from 'zod';
import { type ConfigPath, type Finding, isForbiddenKey, valueAt } from './finding.ts';
import { keysMeantAt } from './known-keys.ts';
import { printReceived, printName } from './received.ts';
import { didYouMean } from './suggest.ts';

type Issue = z.core.$ZodIssue;

/** What the schema has to say about a config, in words for a user. `root` is the config that was checked. */
export function findingsOf(issues: readonly Issue[], root: unknown): Finding[] {
  return issues.flatMap((issue) => translate(issue, root)).filter(({ path }) => !path.some(isForbiddenKey));
}

const CODES: Readonly<Record<string, string>> = {
  invalid_type: 'wrong-type',
  too_small: 'out-of-range',
  too_big: 'out-of-range',
  invalid_format: 'invalid-format',
};

function translate(issue: Issue, root: unknown): Finding[] {
  const path = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key, root));
  if (issue.code === 'invalid_union') return union(issue, path, root);
  if (issue.code === 'invalid_value') return [unknownValue(issue.values, path, root)];
  if (issue.code === 'invalid_key') {
    return [{ code: 'empty-name', path, at: 'key', message: 'a name needs at least one character' }];
  }
  return [mismatch(CODES[issue.code] ?? 'wrong-type', expectation(issue), path, root)];
}

function unknownKey(parent: ConfigPath, key: string, root: unknown): Finding {
  const message = `unknown key ${printName(key)}${didYouMean(key, keysMeantAt(parent, root))}`;
  return { code: 'unknown-key', path: [...parent, key], at: 'key', message };
}

function unknownValue(values: readonly unknown[], path: ConfigPath, root: unknown): Finding {
  const allowed = values.map(String);
  const expected = oneOf(values);
  const value = valueAt(root, path);
  if (typeof value !== 'string') {
    return mismatch('wrong-type', expected, path, root);
  }
  const finding = mismatch('unknown-value', expected, path, root);
  return { ...finding, message: finding.message + (allowed.length > 1 ? didYouMean(value, allowed) : '') };
}

function oneOf(values: readonly unknown[]): string {
  const expected = values.map((value) => (typeof value === 'string' ? printName(value) : String(value)));
  return expected.length > 1 ? `one of ${expected.join(', ')}` : String(expected[0]);
}

/** The problems of the one branch that was meant; when none fits at all, what each branch expects. */
function union(issue: z.core.$ZodIssueInvalidUnion, path: ConfigPath, root: unknown): Finding[] {
  const value = valueAt(root, path);
  const isWrongKind = (inner: Issue): boolean =>
    inner.path.length === 0 &&
    (inner.code === 'invalid_type' || (inner.code === 'invalid_value' && typeof value !== 'string'));
  const meant = issue.errors.find((branch) => !branch.some(isWrongKind));
  if (meant !== undefined) {
    return meant.flatMap((inner) => translate({ ...inner, path: [...path, ...inner.path] }, root));
  }
  const expected = issue.errors.flatMap((branch) =>
    branch.filter(isWrongKind).map((inner) => expectation(inner)),
  );
  return [mismatch('wrong-type', expected.join(' or '), path, root)];
}

function mismatch(code: string, expected: string, path: ConfigPath, root: unknown): Finding {
  const value = valueAt(root, path);
  if (value === undefined) {
    const key = path.at(-1);
    const message =
      key === undefined
        ? `expected ${expected}`
        : `missing key ${printName(String(key))}; expected ${expected}`;
    return { code: 'missing-key', path, at: 'value', message };
  }
  return { code, path, at: 'value', message: `expected ${expected}, got ${printReceived(path, value)}` };
}

const KINDS: Readonly<Record<string, string>> = {
  object: 'an object',
  record: 'an object',
  array: 'an array',
};

// The schema's own building blocks carry what they expect as their message; objects and arrays do not.
function expectation(issue: Issue): string {
  if (issue.code === 'invalid_value') return oneOf(issue.values);
  return issue.code === 'invalid_type' ? (KINDS[issue.expected] ?? issue.message) : issue.message;
}
