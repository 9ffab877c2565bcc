import type { z } from 'zod';
import { type ConfigPath, isRecord, valueAt } from './finding.ts';

/**
 * The config with what variables stand for where a number, or true or false, is wanted: an environment has texts alone. Undefined when
 * there is none of that.
 */
export function withTypedVariables(
  root: unknown,
  alone: readonly ConfigPath[],
  issues: readonly z.core.$ZodIssue[],
): unknown {
  const variables = new Set(alone.map((path) => JSON.stringify(path)));
  let typed: unknown;
  for (const issue of issues) {
    if (issue.code !== 'invalid_type' || !variables.has(JSON.stringify(issue.path))) continue;
    const value = typedValue(issue.expected, valueAt(root, issue.path as ConfigPath));
    if (value !== undefined) typed = withValue(typed ?? root, issue.path as ConfigPath, value);
  }
  return typed;
}

function typedValue(expected: string, text: unknown): number | boolean | undefined {
  if (typeof text !== 'string') return undefined;
  if (expected === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined;
  const isNumber = expected === 'number' || expected === 'int';
  return isNumber && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

function withValue(root: unknown, [key, ...rest]: ConfigPath, value: unknown): unknown {
  if (key === undefined) return value;
  if (Array.isArray(root))
    return root.map((item, n) => (n === key ? withValue(item, rest, value) : item) as unknown);
  if (!isRecord(root)) return root;
  return { ...root, [key]: withValue(root[key], rest, value) };
}
