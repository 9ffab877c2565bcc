import { realpath } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { parseDocument } from '../config/document.ts';
import { Lines, maskValue } from '../config/excerpt.ts';
import type { ConfigPath, Finding, Span } from '../config/finding.ts';
import { include, type Included } from '../config/includes.ts';
import { flatten, type Origin } from '../config/piece.ts';
import { nearest, type Source } from '../config/read-source.ts';
import { readText, shownPath } from '../config/read-text.ts';
import { typeOf } from '../config/received.ts';
import { configError } from '../config/report.ts';
import { isEnvFile } from '../secrets-audit/env-file.ts';
import { type AuditedFile, filesBeside, filesOfState, type UnreadFile } from '../secrets-audit/files.ts';
import { valuesOfJson } from '../secrets-audit/named-values.ts';
import { credentialsOfEnv } from './env-free.ts';
import { credentialsIn } from './plain-credentials.ts';
import { isProtected } from './protected-texts.ts';
import { TokenFinder } from './tokens.ts';

/** A credential that stands in plain text. */
export interface PlainCredential {
  readonly file: string;
  readonly line: number;
  /** As one would write it. */
  readonly path: string;
  /** Where it stands in the config with what it includes; absent in other files. */
  readonly keys?: ConfigPath | undefined;
  readonly value: string;
  /** What has to leave the file: the value, or the whole assignment of a `.env`. */
  readonly span: Span;
}

export type FileKind = 'config' | 'included' | 'env' | 'json' | 'text';

/** A file that is looked at for what has to leave it. */
export interface OldFile {
  readonly file: string;
  readonly text: string;
  readonly kind: FileKind;
  readonly isResidue: boolean;
}

/** A config, and what lies beside it. */
export interface OldFiles {
  readonly config: OldFile;
  /** The config with what it includes; its variables are as they are written. */
  readonly root: Readonly<Record<string, unknown>>;
  readonly files: readonly OldFile[];
  readonly credentials: readonly PlainCredential[];
  readonly unread: readonly UnreadFile[];
  /** The logins and keys of OpenClaw's own, where the config lies in its state folder: they are looked at, and stay. */
  readonly state: readonly AuditedFile[];
  readonly finder: TokenFinder;
  /** The files of the config and where everything stands in them, for reports. */
  readonly source: Source & Required<Pick<Source, 'originOf' | 'parts'>>;
  /** Where in the whole config stands what stands at `path` of one of its files. */
  pathOf(part: number, path: ConfigPath): ConfigPath;
  /** Where something stands, for people: `openclaw.json:12`. */
  placeOf(keys: ConfigPath): string;
}

/**
 * Reads a config, the files that it includes, its `.env`, and versions of before that lie beside it.
 *
 * @throws {ConfigError} `CONFIG_INVALID` when the config, or a file that it includes, makes no sense
 */
export async function readOldFiles(path: string): Promise<OldFiles> {
  const text = await readText(path);
  const shown = shownPath(path);
  const broken = (findings: readonly Finding[], included?: Included) =>
    configError({ root: undefined, findings, folder: '.', shown, parts: included?.parts ?? [] }, findings);
  if (typeof text !== 'string') throw broken([text]);
  // A link is not replaced by a file: what it leads to is changed.
  const file = await realpath(path);
  const included = await include({ file, shown, document: parseDocument(text) });
  const { piece, parts, findings } = included;
  if (piece === undefined || findings.length > 0) throw broken(findings, included);
  const { value: root, origins } = flatten(piece);
  if (typeof root !== 'object' || root === null || Array.isArray(root)) {
    const message = `a config is an object, got ${typeOf(root)}`;
    throw broken([{ code: 'wrong-type', path: [], at: 'value', message, part: 0 }], included);
  }
  const ofConfig = parts.map((part, n): OldFile => {
    const kind = n === 0 ? 'config' : 'included';
    return { file: part.file, text: part.document.text, kind, isResidue: false };
  });
  const beside = await filesAround(file, new Set(ofConfig.map((one) => one.file)));
  const files = [...ofConfig, ...beside.files];
  const wholePaths = wholePathsOf(origins);
  const pathOf = (part: number, inPart: ConfigPath): ConfigPath =>
    wholePaths.get(JSON.stringify([part, inPart])) ?? inPart;
  const state = await filesOfState(dirname(file));
  const finder = new TokenFinder();
  const found = await Promise.all(files.map((one) => credentialsOf(one, { included, pathOf, finder })));
  const [config] = ofConfig;
  if (config === undefined) throw new RangeError('a config has its own file');
  // A report shows lines of the files, and a name may not say that there is a credential.
  const masked = parts.map((part) => {
    const spans = found.flat().filter((one) => one.file === part.file);
    const masks = [...part.document.masks, ...spans.map(({ span }) => maskValue(span))];
    return { file: part.file, shown: part.shown, document: { ...part.document, masks } };
  });
  const originOf = (keys: ConfigPath): Origin => nearest(origins, keys);
  return {
    config,
    root: root as Readonly<Record<string, unknown>>,
    files,
    credentials: found.flat().filter(({ keys }) => keys === undefined || !isProtected(keys, root)),
    unread: [...beside.unread, ...state.unread],
    state: state.files,
    finder,
    pathOf,
    source: { root, findings: [], folder: dirname(file), file, shown, parts: masked, originOf },
    placeOf: (keys) => {
      const { part, path: inPart } = originOf(keys);
      const { file: where = file, document } = parts[part] ?? {};
      const { start } = document?.locate(inPart, 'key') ?? { start: 0 };
      return placeIn(where, new Lines(document?.text ?? '').position(start).line, file);
    },
  };
}

/** A line of a file, for people: the file as it is called from the folder of the config. */
export function placeIn(file: string, line: number, config: string): string {
  return `${relative(dirname(config), file)}:${line}`;
}

/** What cannot be written back byte for byte is not changed. */
async function filesAround(
  config: string,
  own: ReadonlySet<string>,
): Promise<{ files: OldFile[]; unread: UnreadFile[] }> {
  const beside = await filesBeside(config);
  const unread = [...beside.unread];
  const files: OldFile[] = [];
  for (const { file, text, encoding, isResidue } of beside.files) {
    if (own.has(file)) continue;
    const whole = await readText(file);
    const isBelow = !relative(dirname(config), file).startsWith('..');
    if (!isBelow) unread.push({ file, why: 'it is a link to a file elsewhere, which others may use' });
    else if (typeof whole === 'string')
      files.push({ file, text: whole, kind: kindOf(file, whole), isResidue });
    else if (encoding === 'utf-8') unread.push({ file, why: whole.message });
    else files.push({ file, text, kind: 'text', isResidue });
  }
  return { files, unread };
}

function kindOf(file: string, text: string): FileKind {
  if (isEnvFile(file)) return 'env';
  return valuesOfJson(text) === undefined ? 'text' : 'json';
}

async function credentialsOf(
  { file, text, kind }: OldFile,
  { included, pathOf, finder }: Pick<OldFiles, 'pathOf' | 'finder'> & { readonly included: Included },
): Promise<PlainCredential[]> {
  if (kind === 'text') return [];
  if (kind === 'env') {
    const lines = new Lines(text);
    return (await credentialsOfEnv(text, finder)).map(({ name, value, start, end }) => {
      const { line } = lines.position(start);
      return { file, path: name, line, value, span: { start, end } };
    });
  }
  const part = included.parts.findIndex((one) => one.file === file);
  const found = (await credentialsIn(text, finder)) ?? [];
  return found.map(({ path, line, value, keys, span }): PlainCredential => {
    return { file, path, line, value, span, keys: part < 0 ? undefined : pathOf(part, keys) };
  });
}

/** Where in the whole config stands what stands in a part of it. */
function wholePathsOf(origins: ReadonlyMap<string, Origin>): ReadonlyMap<string, ConfigPath> {
  const found = new Map<string, ConfigPath>();
  for (const [whole, { part, path }] of origins) {
    const written = JSON.stringify([part, path]);
    if (!found.has(written)) found.set(written, JSON.parse(whole) as ConfigPath);
  }
  return found;
}
