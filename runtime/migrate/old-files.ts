import { realpath } from 'node:fs/promises';
import { parseDocument } from '../config/document.ts';
import type { ConfigPath } from '../config/finding.ts';
import { include, type Included } from '../config/includes.ts';
import { flatten, type Origin } from '../config/piece.ts';
import { readText, shownPath } from '../config/read-text.ts';
import { configError } from '../config/report.ts';
import { judge } from '../secrets-audit/credentials.ts';
import { isEnvFile } from '../secrets-audit/env-file.ts';
import { filesBeside, type AuditedFile, type UnreadFile } from '../secrets-audit/files.ts';
import { valuesOfEnv, valuesOfJson } from '../secrets-audit/named-values.ts';
import { credentialsIn } from './value-free.ts';

/** A credential that stands in plain text. */
export interface PlainCredential {
  readonly file: string;
  readonly line: number;
  /** As one would write it. */
  readonly path: string;
  /** Where it stands in the config with what it includes; absent in other files. */
  readonly keys?: ConfigPath;
  readonly value: string;
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
  readonly root: unknown;
  readonly files: readonly OldFile[];
  readonly credentials: readonly PlainCredential[];
  readonly unread: readonly UnreadFile[];
}

/**
 * Reads a config, the files that it includes, its `.env`, and versions of before that lie beside it.
 *
 * @throws {ConfigError} `CONFIG_INVALID` when the config, or a file that it includes, makes no sense
 */
export async function readOldFiles(path: string): Promise<OldFiles> {
  const text = await readText(path);
  const shown = shownPath(path);
  if (typeof text !== 'string') {
    throw configError({ root: undefined, findings: [text], folder: '.', shown }, [text]);
  }
  // A link is not replaced by a file: what it leads to is changed.
  const file = await realpath(path);
  const included = await include({ file, shown, document: parseDocument(text) });
  const { piece, parts, findings } = included;
  if (piece === undefined || findings.length > 0) {
    throw configError({ root: undefined, findings, folder: '.', shown, parts }, findings);
  }
  const { value: root, origins } = flatten(piece);
  const ofConfig = parts.map((part, n): OldFile => {
    const kind = n === 0 ? 'config' : 'included';
    return { file: part.file, text: part.document.text, kind, isResidue: false };
  });
  const own = new Set(ofConfig.map((one) => one.file));
  const beside = await filesBeside(file);
  const others = beside.files.filter((one) => !own.has(one.file)).map(oldFile);
  const files = [...ofConfig, ...others];
  const credentials = files.flatMap((one) => credentialsOf(one, included, origins));
  const [config] = ofConfig;
  if (config === undefined) throw new RangeError('a config has its own file');
  return { config, root, files, credentials, unread: beside.unread };
}

function oldFile({ file, text, encoding, isResidue }: AuditedFile): OldFile {
  // What is not UTF-8 is not written again: who reads it expects it as it was.
  return { file, text, kind: encoding === 'utf-8' ? kindOf(file, text) : 'text', isResidue };
}

function kindOf(file: string, text: string): FileKind {
  if (isEnvFile(file)) return 'env';
  return valuesOfJson(text) === undefined ? 'text' : 'json';
}

function credentialsOf(
  { file, text, kind }: OldFile,
  { parts }: Included,
  origins: ReadonlyMap<string, Origin>,
): PlainCredential[] {
  if (kind === 'text') return [];
  if (kind === 'env') {
    return valuesOfEnv(text)
      .filter((one) => judge(one)?.isPlaceholder === false)
      .map(({ path, line, value }) => ({ file, path, line, value }));
  }
  const part = parts.findIndex((one) => one.file === file);
  return (credentialsIn(text) ?? []).map(({ path, line, value, keys }): PlainCredential => {
    const found = { file, path, line, value };
    if (part < 0) return found;
    return Object.assign(found, { keys: wholePath(origins, { part, path: keys }) ?? keys });
  });
}

function wholePath(origins: ReadonlyMap<string, Origin>, { part, path }: Origin): ConfigPath | undefined {
  const written = JSON.stringify(path);
  for (const [whole, origin] of origins) {
    if (origin.part === part && JSON.stringify(origin.path) === written)
      return JSON.parse(whole) as ConfigPath;
  }
  return undefined;
}
