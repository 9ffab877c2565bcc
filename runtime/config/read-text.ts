import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, relative } from 'node:path';
import { workingFolder } from './working-folder.ts';
import { type Finding, property } from './finding.ts';

/** A config file is a few KiB; one of more than 1 MiB is some other file. */
const LARGEST_FILE = 1024 * 1024;

/** The path for messages: relative to the working directory when below it, by whichever of its names. */
export function shownPath(file: string): string {
  const here = process.cwd();
  return below(here, file) ?? below(workingFolder(here, process.env['PWD']), file) ?? file;
}

function below(folder: string, file: string): string | undefined {
  const way = relative(folder, file);
  return way === '' || way.startsWith('..') || isAbsolute(way) ? undefined : way;
}

/**
 * The text of a config file, or why there is none. It has every byte of the file: a byte order mark too, which JSON5 takes for a
 * space, so that what is written back differs in nothing but the changes.
 */
export async function readText(file: string): Promise<string | Finding> {
  try {
    const found = await stat(file);
    // A pipe or device could keep us waiting for ever.
    if (!found.isFile()) return unreadable('file-unreadable', 'not a file');
    if (found.size > LARGEST_FILE) {
      const message = `a config file has at most ${LARGEST_FILE} bytes, this one has ${found.size}`;
      return unreadable('file-too-large', message);
    }
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await readFile(file));
  } catch (error) {
    const code = property(error, 'code');
    if (code === 'ENOENT') return unreadable('file-not-found', 'no such file; correct the path or create it');
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA')
      return unreadable('syntax', 'not UTF-8; save it as UTF-8');
    const cause = typeof code === 'string' ? code : 'unknown cause';
    return unreadable('file-unreadable', `cannot be read (${cause})`);
  }
}

/** The finding for a file of which there is no text. */
export function unreadable(code: string, message: string): Finding {
  return { code, path: [], at: 'value', message };
}
