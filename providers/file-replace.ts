import writeFileAtomic from 'write-file-atomic';
import { atPointer } from './json-pointer.ts';
import { ProviderError } from './provider.ts';

/** Puts a text in the place of a whole file, which keeps its mode. */
export async function replaceFile(file: string, value: Uint8Array): Promise<void> {
  const text = Buffer.from(value);
  // A reader takes one newline at the end off.
  const written = text.at(-1) === 0x0a ? Buffer.concat([text, Buffer.from('\n')]) : text;
  await writeFileAtomic(file, written);
}

/** Puts a text in the place of a value in a JSON file; all else in it stays, in a layout of its own. */
export async function replaceInJson(
  file: string,
  document: unknown,
  pointer: string,
  value: Uint8Array,
): Promise<void> {
  const before = atPointer(document, pointer);
  if (before === undefined) throw new ProviderError('not-found', `${file} has nothing at ${pointer}.`);
  const text = Buffer.from(value).toString('utf8');
  const at = pointer.lastIndexOf('/');
  const holder = atPointer(document, pointer.slice(0, at)) as Record<string, unknown>;
  const key = pointer
    .slice(at + 1)
    .replaceAll('~1', '/')
    .replaceAll('~0', '~');
  // A secret of several parts is an object in the file, and a text for who reads it.
  holder[key] = typeof before === 'object' ? JSON.parse(text) : text;
  await writeFileAtomic(file, `${JSON.stringify(document, undefined, 2)}\n`);
}
