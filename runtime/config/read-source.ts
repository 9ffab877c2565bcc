import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseDocument } from './document.ts';
import { type ConfigPath, type Finding, forbiddenKey, isForbiddenKey } from './finding.ts';
import { include, type SourcePart } from './includes.ts';
import { flatten, type Origin } from './piece.ts';
import { readText, shownPath, unreadable } from './read-text.ts';
import { printReceived } from './received.ts';
import { type Environment, substitute } from './variables.ts';

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
  /** The file and those it includes; none for an object, and for a file that cannot be read. */
  readonly parts?: readonly SourcePart[];
  /** Files whose change may make another config of it: absolute, as they were named, also those that were not there. */
  readonly looked?: readonly string[];
  /** Texts that were one variable and nothing else. */
  readonly alone?: readonly ConfigPath[];
  /** Where a value was written; of what is missing, where its nearest parent was. */
  readonly originOf?: (path: ConfigPath) => Origin;
  /** A message without the values of variables, which may be secrets. */
  readonly hide?: (message: string) => string;
}

/**
 * Reads a config: an object as it is, a string or `file:` URL as the path of a JSON5 file, with the files that it includes and
 * its variables filled in from `env`. Anything else, which only code without types can pass, is a finding.
 */
export async function readSource(source: unknown, env: Environment = process.env): Promise<Source> {
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
  if (typeof read !== 'string')
    return { root: undefined, findings: [read], folder, file, shown, looked: [file] };
  const { piece, parts, looked, findings } = await include({ file, shown, document: parseDocument(read) });
  const place = { folder, file, shown, parts, looked };
  if (piece === undefined) return { root: undefined, findings, ...place };
  const { value, origins } = flatten(piece);
  const filled = substitute(value, env);
  const originOf = (path: ConfigPath): Origin => nearest(origins, path);
  const all = [...findings, ...filled.findings];
  const { alone, hide } = filled;
  return { root: filled.value, findings: all, ...place, alone, originOf, hide };
}

/** Where a value was written; of what is missing, where its nearest parent was. */
export function nearest(origins: ReadonlyMap<string, Origin>, path: ConfigPath): Origin {
  for (let length = path.length; length > 0; length -= 1) {
    const origin = origins.get(JSON.stringify(path.slice(0, length)));
    if (origin !== undefined) return { ...origin, path: [...origin.path, ...path.slice(length)] };
  }
  return { part: origins.get('[]')?.part ?? 0, path };
}

function pathOf(source: string | URL): string | undefined {
  if (typeof source === 'string' && !source.startsWith('file:')) return resolve(source);
  try {
    return fileURLToPath(source);
  } catch {
    return undefined;
  }
}

/** Where a value is: made into a path for those alone of which there is something to say. */
interface Place {
  readonly key: string | number;
  readonly above: Place | undefined;
}

function pathTo(place: Place | undefined): (string | number)[] {
  const path: (string | number)[] = [];
  for (let at = place; at !== undefined; at = at.above) path.push(at.key);
  return path.toReversed();
}

function forbiddenKeysIn(root: object): Finding[] {
  const findings: Finding[] = [];
  const seen = new Set<object>();
  const waiting: [Place | undefined, object][] = [[undefined, root]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [above, value] = next;
    if (seen.has(value)) continue;
    seen.add(value);
    for (const [key, inner] of Object.entries(value)) {
      const place: Place = { key: Array.isArray(value) ? Number(key) : key, above };
      if (isForbiddenKey(key)) findings.push(forbiddenKey(pathTo(place)));
      else if (typeof inner === 'object' && inner !== null) waiting.push([place, inner as object]);
    }
  }
  return findings;
}
