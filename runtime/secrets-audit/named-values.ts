import { parseDocument } from '../config/document.ts';
import type { ConfigPath, Span } from '../config/finding.ts';

/** A text with the name that it has. */
export interface NamedValue {
  /** As one would write it: `agents.trader.env.API_KEY`; empty where names have no place. */
  readonly path: string;
  /** The last part of it that is a name. */
  readonly name: string;
  readonly value: string;
  /** 1-based. */
  readonly line: number;
}

/** One of a JSON5 document. */
export interface NamedJsonValue extends NamedValue {
  readonly keys: ConfigPath;
  readonly span: Span;
}

/**
 * All texts of a JSON5 document with their names; undefined when it is none, or has a key twice. What refers to a secret is left
 * out.
 */
export function valuesOfJson(text: string): NamedJsonValue[] | undefined {
  const document = parseDocument(text);
  // Of a key that is written twice the document has the first one only.
  if (document.value === undefined || document.findings.length > 0) return undefined;
  const values: NamedJsonValue[] = [];
  const walk = (value: unknown, path: readonly (string | number)[], name: string): void => {
    if (typeof value === 'string') {
      const span = document.locate([...path], 'value');
      values.push({ path: written(path), name, value, line: lineAt(text, span.start), keys: path, span });
    } else if (Array.isArray(value)) {
      for (const [n, item] of value.entries()) walk(item, [...path, n], name);
    } else if (typeof value === 'object' && value !== null && !isReference(value)) {
      for (const [key, item] of Object.entries(value)) walk(item, [...path, key], key);
    }
  };
  walk(document.value, [], '');
  return values;
}

/** `NAME=value` and `export NAME="value"`, as dotenv reads them. */
export function valuesOfEnv(text: string): NamedValue[] {
  return text.split('\n').flatMap((line, n) => {
    const [, name, raw = ''] = /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined) return [];
    const value = /^(["'`])(.*)\1/.exec(raw)?.[2] ?? raw.replace(/\s+#.*$/, '');
    return [{ path: name, name, value, line: n + 1 }];
  });
}

/**
 * `name: value` and `name = "value"`, wherever they stand in a line of whatever it is: YAML, scripts, logs. Words of prose and
 * of code are left out: what has no digit, is short, or has brackets.
 */
export function valuesOfText(text: string): NamedValue[] {
  const pairs = /["']?([A-Za-z_][\w.-]*)["']?\s*[:=]\s*(?:"([^"]*)"|'([^']*)'|([^\s"',;]+))/g;
  return text.split('\n').flatMap((line, n) =>
    Array.from(line.matchAll(pairs)).flatMap(([, name = '', ...quoted]) => {
      const value = quoted.find((one) => one !== undefined) ?? '';
      const isWord =
        value.length < 6 || !/\d/.test(value) || /[(){}[\]]/.test(value.replace(/^\$\{\w+\}$/, ''));
      return isWord ? [] : [{ path: '', name, value, line: n + 1 }];
    }),
  );
}

/** A grant of ours, and a SecretRef of OpenClaw. */
function isReference(value: object): boolean {
  return ('ref' in value && typeof value.ref === 'string') || ('source' in value && 'id' in value);
}

function written(path: readonly (string | number)[]): string {
  return path
    .map((part, n) => {
      if (typeof part === 'number') return `[${part}]`;
      if (!/^[A-Za-z_$][\w$-]*$/.test(part)) return `[${JSON.stringify(part)}]`;
      return n === 0 ? part : `.${part}`;
    })
    .join('');
}

function lineAt(text: string, at: number): number {
  let line = 1;
  for (let n = text.indexOf('\n'); n !== -1 && n < at; n = text.indexOf('\n', n + 1)) line += 1;
  return line;
}
