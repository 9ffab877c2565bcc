import { readFile, stat } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ConfigDocument, parseDocument } from './document.ts';
import { type ConfigPath, type Finding, forbiddenKey, isForbiddenKey, property } from './finding.ts';
import { printReceived } from './received.ts';

/** A config file is a few KiB; one of more than 1 MiB is some other file. */
const LARGEST_FILE = 1024 * 1024;

/** A config as it came in. */
export interface Source {
  /** The config, not yet checked; undefined when it could not be read. */
  readonly root: unknown;
  /** What is wrong with it so far. */
  readonly findings: readonly Finding[];
  /** What relative paths are relative to. */
  readonly folder: string;
  /** Absolute path; absent for an object. */
  readonly file?: string;
  /** The path for messages: relative to the working directory when below it. */
  readonly shown?: string;
  /** The text and where everything stands in it; absent for an object, and for a file that cannot be read. */
  readonly document?: ConfigDocument;
}

/**
 * Reads a config: an object as it is, a string or `file:` URL as the path of a JSON5 file. Anything else, which
 * only code without types can pass, is a finding.
 */
export async function readSource(source: unknown): Promise<Source> {
  if (typeof source === 'object' && source !== null && !(source instanceof URL)) {
    return { root: source, findings: forbiddenKeysIn(source), folder: process.cwd() };
  }
  if (typeof source !== 'string' && !(source instanceof URL)) {
    const message =
      'expected a config object, or the path or file: URL of a config file, ' +
      `got ${printReceived([], source)}`;
    const finding: Finding = { code: 'wrong-type', path: [], at: 'value', message };
    return { root: undefined, findings: [finding], folder: process.cwd() };
  }
  const file = pathOf(source);
  if (file === undefined) {
    const findings = [
      unreadable('file-not-found', 'expected a path or a file: URL of a file on this machine'),
    ];
    return { root: undefined, findings, folder: process.cwd(), shown: 'the given URL' };
  }
  const shown = shownPath(file);
  const folder = dirname(file);
  const read = await readText(file);
  if (typeof read !== 'string') return { root: undefined, findings: [read], folder, file, shown };
  const document = parseDocument(read);
  return { root: document.value, findings: document.findings, folder, file, shown, document };
}

function pathOf(source: string | URL): string | undefined {
  if (typeof source === 'string' && !source.startsWith('file:')) return resolve(source);
  try {
    return fileURLToPath(source);
  } catch {
    return undefined;
  }
}

function shownPath(file: string): string {
  const fromHere = relative(process.cwd(), file);
  return fromHere === '' || fromHere.startsWith('..') || isAbsolute(fromHere) ? file : fromHere;
}

async function readText(file: string): Promise<string | Finding> {
  try {
    const found = await stat(file);
    // A pipe or device could keep us waiting for ever.
    if (!found.isFile()) return unreadable('file-unreadable', 'not a file');
    if (found.size > LARGEST_FILE) {
      const message = `a config file has at most ${LARGEST_FILE} bytes, this one has ${found.size}`;
      return unreadable('file-too-large', message);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
  } catch (error) {
    const code = property(error, 'code');
    if (code === 'ENOENT') return unreadable('file-not-found', 'no such file; correct the path or create it');
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA')
      return unreadable('syntax', 'not UTF-8; save it as UTF-8');
    const cause = typeof code === 'string' ? code : 'unknown cause';
    return unreadable('file-unreadable', `cannot be read (${cause})`);
  }
}

function unreadable(code: string, message: string): Finding {
  return { code, path: [], at: 'value', message };
}

function forbiddenKeysIn(root: object): Finding[] {
  const findings: Finding[] = [];
  const seen = new Set<object>();
  const waiting: [ConfigPath, object][] = [[[], root]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [path, value] = next;
    if (seen.has(value)) continue;
    seen.add(value);
    for (const [key, inner] of Object.entries(value)) {
      const innerPath = [...path, Array.isArray(value) ? Number(key) : key];
      if (isForbiddenKey(key)) findings.push(forbiddenKey(innerPath));
      else if (typeof inner === 'object' && inner !== null) waiting.push([innerPath, inner as object]);
    }
  }
  return findings;
}
