import { jsonField } from '../values/json-field.ts';
import { SHORTEST } from './pattern-index.ts';
import { privateCopy } from '../values/vault.ts';

/** The fields of a secret that agents are granted; undefined stands for the whole secret. */
export type Granted = ReadonlySet<string | undefined>;

/**
 * The parts of a value that must not be seen: the whole; of a JSON document the granted fields, or each of its strings
 * when the whole is granted or no grant is known; of private keys each line, since a printer may break between them.
 * Each part is a copy in memory of its own, for the caller to wipe. Parts shorter than eight bytes are left out.
 */
export function knownParts(bytes: Buffer, granted: Granted): Buffer[] {
  const parts = [privateCopy(bytes)];
  const text = bytes.toString('utf8');
  if (granted.size === 0 || granted.has(undefined)) parts.push(...stringsOf(text));
  for (const key of granted) {
    const field = key === undefined ? undefined : jsonField(bytes, key);
    // A field may be an object, and an agent that has it can reveal each part.
    if (field !== undefined) parts.push(field, ...stringsOf(field.toString('utf8')));
  }
  parts.push(...parts.flatMap((part) => keyLines(part.toString('latin1'))));
  return parts.filter((part) => part.length >= SHORTEST);
}

/** The strings in a JSON document, without its keys. */
function stringsOf(text: string): Buffer[] {
  if (!/^\s*[[{]/.test(text)) return [];
  const found: Buffer[] = [];
  try {
    JSON.parse(text, (_key, value: unknown) => {
      if (typeof value === 'string') found.push(privateCopy(new TextEncoder().encode(value)));
      return value;
    });
  } catch {
    // Not JSON; nothing is rethrown, because the parser's message quotes the text.
  }
  return found;
}

const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----([\s\S]*?)-----END/g;
/** The fewest characters of a line that cannot be of another key as well. */
const TELLING_LINE = 32;

function keyLines(text: string): Buffer[] {
  return [...text.matchAll(PRIVATE_KEY)].flatMap(([, body = '']) =>
    body
      .split(/\r?\n|\\n/)
      .filter((line) => line.length >= TELLING_LINE)
      .map((line) => privateCopy(Buffer.from(line, 'latin1'))),
  );
}
