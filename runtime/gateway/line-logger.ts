import type { Logger } from '../base/logger.ts';
import { shownText } from '../base/shown-text.ts';
import { plainJson } from './plain-json.ts';

/**
 * Writes one JSON object a line, as services log: `time`, `level`, `message`, and the fields. Those three are the
 * logger's: a field of the same name stands under `field.time` and so on. A line stays one line and steers no
 * terminal, whatever it contains.
 */
export function lineLogger(write: (line: string) => void): Logger {
  const level =
    (name: keyof Logger) =>
    (fields: object, message: string): void => {
      const head = { time: new Date().toISOString(), level: name, message };
      write(`${shownText(lineOf(head, fields))}\n`);
    };
  return { debug() {}, info: level('info'), warn: level('warn'), error: level('error') };
}

function lineOf(head: object, fields: object): string {
  const names = Object.keys(fields).map((name): [string, string] => [name, nameBeside(head, name)]);
  // First for the reader's eye, last for the truth.
  const lineWith = (values: Readonly<Record<string, unknown>>): object => ({
    ...head,
    ...Object.fromEntries(names.map(([name, shown]) => [shown, values[name]])),
    ...head,
  });
  try {
    return JSON.stringify(lineWith(fields as Record<string, unknown>), plainErrors());
  } catch {
    // The fields have a cycle, parts shared in many layers, or a getter that throws.
    return JSON.stringify(lineWith(readable(fields)));
  }
}

/** Such a name would replace one of the logger's, or let the field itself write the line. */
function nameBeside(head: object, name: string): string {
  return Object.hasOwn(head, name) || name === 'toJSON' ? `field.${name}` : name;
}

function readable(fields: object): Record<string, unknown> {
  try {
    return plainJson(fields) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/**
 * Far more than fits the fields of an agent's line, except where JSON repeats a shared part once for each way to it.
 */
const MOST_VALUES = 100_000;

function plainErrors(): (key: string, value: unknown) => unknown {
  let values = 0;
  return (_key, value) => {
    values += 1;
    if (values > MOST_VALUES) throw new RangeError('too many values for a line');
    return plainError(value);
  };
}

function plainError(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (!(value instanceof Error)) return value;
  const code = (value as { code?: unknown }).code;
  return {
    name: value.name,
    ...(code !== undefined && { code }),
    message: value.message,
    stack: value.stack,
  };
}
