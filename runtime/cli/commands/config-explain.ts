import { configJsonSchema } from '../../config/json-schema.ts';
import { didYouMean } from '../../config/suggest.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { paint, table, type Terminal } from '../terminal.ts';

interface Schema {
  readonly description?: string;
  readonly type?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

/** What a key of the config means: `agents.*.mailbox`, with any name for the `*`. */
export function configExplain(
  key: string | undefined,
  { json }: { readonly json?: boolean },
  terminal: Terminal,
): ExitCode {
  const { stdout, stderr } = terminal;
  const parts = key === undefined ? [] : key.split('.').filter(Boolean);
  const found = schemaAt(configJsonSchema(), parts);
  if ('unknown' in found) {
    const { unknown, known } = found;
    const meant = didYouMean(unknown, known) || '.';
    const text = `there is no key "${unknown}"${meant} There are ${known.join(', ')}`;
    if (json === true) stdout.write(`${JSON.stringify({ ok: false, error: { message: text, known } })}\n`);
    else stderr.write(`${text}\n`);
    return EXIT.failed;
  }
  const { schema } = found;
  const keys = keysOf(schema);
  if (json === true) {
    const below = keys.map(([name, one]) => ({ key: name, ...factsOf(one) }));
    stdout.write(
      `${JSON.stringify({ key: parts.join('.'), ...factsOf(schema), keys: below }, undefined, 2)}\n`,
    );
    return EXIT.ok;
  }
  const colour = paint(terminal);
  if (parts.length > 0) {
    const { description = '', ...facts } = factsOf(schema);
    const said = Object.entries(facts).map(([name, value]) => `${name}: ${text(value)}`);
    stdout.write([colour('bold', parts.join('.')), description, ...said].filter(Boolean).join('\n') + '\n');
  }
  if (keys.length > 0) {
    const rows = keys.map(([name, one]) => [
      colour('cyan', name),
      one.default === undefined ? '' : text(one.default),
      firstSentence(one.description),
    ]);
    stdout.write(`${parts.length > 0 ? '\n' : ''}${table(['key', 'default', ''], rows)}`);
  }
  return EXIT.ok;
}

type Found = { readonly schema: Schema } | { readonly unknown: string; readonly known: readonly string[] };

function schemaAt(schema: Schema, [key, ...rest]: readonly string[]): Found {
  if (key === undefined) return { schema };
  const keys = new Map(keysOf(schema));
  // A name of the user's own.
  const next = keys.get(key) ?? keys.get('*');
  if (next === undefined) return { unknown: key, known: [...keys.keys()] };
  return schemaAt(next, rest);
}

/** The keys that may stand below; `*` for names of one's own. */
function keysOf(schema: Schema): [string, Schema][] {
  const { properties = {}, additionalProperties: names, anyOf = [], items } = schema;
  const own = Object.entries(properties).filter(([name]) => name !== '$schema');
  const named: [string, Schema][] = typeof names === 'object' ? [['*', names]] : [];
  const inside = [...anyOf, ...(items === undefined ? [] : [items])].flatMap(keysOf);
  return [...new Map([...inside, ...own, ...named])];
}

function factsOf(schema: Schema): Readonly<Record<string, unknown>> & { readonly description?: string } {
  const { description, type, default: usual, enum: values = [] } = schema;
  const choices = [
    ...values,
    ...(schema.anyOf ?? []).flatMap(({ const: one }) => (one === undefined ? [] : [one])),
  ];
  return {
    ...(description !== undefined && { description }),
    ...(type !== undefined && { type }),
    ...(choices.length > 0 && { values: choices }),
    ...(usual !== undefined && { default: usual }),
  };
}

function text(value: unknown): string {
  if (Array.isArray(value)) return value.map(text).join(', ');
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

function firstSentence(description: string = ''): string {
  const [first = ''] = description.split(/(?<=\.) /);
  return first;
}
