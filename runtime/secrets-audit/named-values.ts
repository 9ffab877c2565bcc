import { parseDocument } from '../config/document.ts';
import { Lines } from '../config/excerpt.ts';
import { lexemes } from '../config/lexemes.ts';
import { readDotenv } from './dotenv-file.ts';
import { readEnv } from './env-file.ts';
import type { NamedJsonValue, NamedValue } from './named-value.ts';
import { valuesOfText } from './text-values.ts';

/**
 * All texts and numbers of a JSON5 document with their names; undefined when it is none, or has a key twice. What refers to a
 * secret is left out.
 */
export function valuesOfJson(text: string): NamedJsonValue[] | undefined {
  const document = parseDocument(text);
  // Of a key that is written twice the document has the first one only.
  if (document.value === undefined || document.findings.length > 0) return undefined;
  const lines = new Lines(text);
  const values: NamedJsonValue[] = [];
  const walk = (
    value: unknown,
    path: readonly (string | number)[],
    name: string,
    container: string,
  ): void => {
    if (typeof value === 'string' || typeof value === 'number') {
      const span = document.locate([...path], 'value');
      const isNumber = typeof value === 'number';
      const raw = isNumber ? text.slice(span.start, span.end) : value;
      const { line } = lines.position(span.start);
      values.push({ path: written(path), name, container, value: raw, isNumber, line, keys: path, span });
    } else if (Array.isArray(value)) {
      for (const [n, item] of value.entries())
        walk(item, [...path, n], optionName(value[n - 1]) ?? name, container);
    } else if (typeof value === 'object' && value !== null && !isSecretRef(value)) {
      const label = labelIn(value);
      for (const [key, item] of Object.entries(value)) {
        // A grant of ours.
        if (key === 'ref' && typeof item === 'string') continue;
        walk(item, [...path, key], key === 'value' ? (label ?? key) : key, name);
      }
    }
  };
  walk(document.value, [], '', '');
  return values;
}

/** All values of an `.env`, as Node and as dotenv read it: what is one for either is there to be read. */
export function valuesOfEnv(text: string): NamedValue[] {
  const lines = new Lines(text);
  const read = readEnv(text);
  const known = new Set(read.map(({ start, value }) => `${start} ${value}`));
  const others = readDotenv(text).filter(({ start, value }) => !known.has(`${start} ${value}`));
  return [...read, ...others].map(({ name, value, start, valueStart, valueEnd }) => ({
    path: name,
    name,
    value,
    line: lines.position(start).line,
    span: { start: valueStart, end: valueEnd },
  }));
}

/** What has a name inside the comments and texts of JSON5. */
export function innerValuesOfJson(text: string): NamedValue[] {
  const lines = new Lines(text);
  return lexemes(text)
    .filter(({ kind }) => kind === 'comment' || kind === 'string')
    .flatMap((span) => valuesOfText(text, lines, span));
}

/** The texts and numbers with a name in what is like JSON5 and cannot be read whole: cut off, written twice, several in a file. */
export function valuesOfBrokenJson(text: string): NamedValue[] {
  const lines = new Lines(text);
  const code = lexemes(text).filter(({ kind }) => kind !== 'comment');
  if (!/^[{[]/.test(text.slice(code[0]?.start))) return [];
  return code.flatMap((key, n): NamedValue[] => {
    const [colon, span] = [code[n + 1], code[n + 2]];
    if (colon === undefined || text[colon.start] !== ':' || span === undefined) return [];
    if (key.kind === 'punctuation' || span.kind === 'punctuation') return [];
    const raw = text.slice(span.start, span.end);
    const isNumber = span.kind === 'word' && /^\d+$/.test(raw);
    if (span.kind === 'word' && !isNumber) return [];
    const name = withoutQuotes(text.slice(key.start, key.end));
    const { line } = lines.position(span.start);
    return [{ path: '', name, value: withoutQuotes(raw), isNumber, line, span }];
  });
}

function withoutQuotes(raw: string): string {
  return raw.replaceAll(/^["']|["']$/g, '');
}

/** The name of `--token`, in a list of arguments the one of what comes next. */
function optionName(before: unknown): string | undefined {
  return typeof before === 'string' ? /^--?([A-Za-z][\w-]{0,63})$/.exec(before)?.[1] : undefined;
}

/** The name beside a value: `{ name: 'API_KEY', value: … }`. */
function labelIn(value: object): string | undefined {
  const label = ('name' in value && value.name) || ('key' in value && value.key);
  return typeof label === 'string' ? label : undefined;
}

/** One of OpenClaw. */
function isSecretRef(value: object): boolean {
  return 'source' in value && 'id' in value && ['env', 'file', 'exec'].includes(String(value.source));
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
