import { isUtf8 } from 'node:buffer';
import { spanAtPointer } from './json-pointer.ts';
import { kindAt, rootSpan, withJsonAt, withValueAt } from './json-text.ts';
import { ProviderError } from './provider.ts';

/** Puts a text in the place of a whole file, which keeps its mode. */
export async function replaceFile(file: string, value: Uint8Array): Promise<void> {
  const text = Buffer.from(value);
  // A reader takes one newline at the end off.
  const written = text.at(-1) === 0x0a ? Buffer.concat([text, Buffer.from('\n')]) : text;
  await writeWhole(file, written);
}

/**
 * Puts a text in the place of a value in a JSON file, whose other bytes all stay.
 *
 * @throws {ProviderError} `not-found` when there is nothing at the pointer; `invalid` when the file or the value is not
 * what it must be
 */
export async function replaceInJson(
  file: string,
  content: Uint8Array,
  pointer: string,
  value: Uint8Array,
): Promise<void> {
  if (rootSpan(content) === undefined) throw notJson(file);
  const span = spanAtPointer(content, pointer);
  if (span === undefined) throw new ProviderError('not-found', `${file} has nothing at ${pointer}.`);
  if (!isUtf8(value))
    throw new ProviderError(
      'invalid',
      `The new value is not UTF-8, and ${file} is JSON, which has text only.`,
    );
  const text = Buffer.from(value).toString('utf8');
  const kind = kindAt(content, span);
  // A number is none of the secrets of a file, which are in quotes.
  const isComposed = kind === 'object' || kind === 'array';
  const written = isComposed
    ? withValueAt(content, span, text)
    : withJsonAt(content, span, JSON.stringify(text));
  if (written === undefined) {
    const why = `What ${file} has at ${pointer} is a secret of several parts, and the new value is not.`;
    throw new ProviderError('invalid', `${why} Give all of it, as JSON.`);
  }
  try {
    await writeWhole(file, written);
  } finally {
    written.fill(0);
  }
}

export function notJson(file: string): ProviderError {
  return new ProviderError('invalid', `${file} is not JSON. Correct it, or set the mode to "singleValue".`);
}

/** Loaded by those alone who replace something. */
async function writeWhole(file: string, content: Buffer): Promise<void> {
  const { default: writeFileAtomic } = await import('write-file-atomic');
  await writeFileAtomic(file, content);
}
