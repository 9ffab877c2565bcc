import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { parseDocument } from '../config/document.ts';
import { include } from '../config/includes.ts';
import { readText } from '../config/read-text.ts';
import { readAudited, whatElse, type AuditedFile, type UnreadFile } from './audited-file.ts';

export type { AuditedFile, UnreadFile } from './audited-file.ts';

/** Files that are read at most: a folder of backups, not a disk. */
const MOST_FILES = 1000;

export interface AuditedFiles {
  readonly files: readonly AuditedFile[];
  /** What was to be looked at and was not. */
  readonly unread: readonly UnreadFile[];
  /** What lay there and has no text of its own: pipes, sockets, devices and links. */
  readonly skipped?: readonly UnreadFile[];
}

/** Names beside a config that hold what it held: `.env`, versions of before, and folders of backups. */
const BESIDE = /^(?:\.env(?:\..+)?|secrets?\.json5?|credentials\.json5?|auth[-_.].*\.json5?)$/i;
const RESIDUE =
  /(?:\.bak|\.backup|\.old|\.orig|\.save|\.rejected|\.prev|~)(?:[.-][\w.-]+)?$|\.\d{8,}|\.bak\b/i;
const BACKUPS = /^\.?(?:backups?|bak|old)$/i;
/** Texts for people to fill in. */
const EXAMPLE = /\.(?:example|sample|template|dist)$/i;
/** Where OpenClaw keeps logins and keys of its own, from its state folder on; `*` is any name. */
const STATE = ['agents/*/agent', 'credentials', 'credentials/*', 'credentials/*/*', 'devices', 'identity'];

/** The config, what lies beside it and may hold its secrets, and its backups. */
export async function filesBeside(config: string): Promise<AuditedFiles> {
  const walk = new Walk();
  const folder = dirname(config);
  const own = basename(config);
  const stem = own.replace(/\.json5?$/, '');
  const entries = await walk.entriesOf(folder);
  for (const entry of entries) {
    const { name } = entry;
    const isBeside = BESIDE.test(name) && !EXAMPLE.test(name);
    const isConfig = name === own || name.startsWith(stem);
    // A config and an `.env` may be links into a folder of dotfiles, or of a release.
    const isFollowed = entry.isSymbolicLink() && (name === own || isBeside) && !isResidue(name);
    if (isFollowed) await walk.follow(join(folder, name));
    else if (isBeside || (isConfig && !EXAMPLE.test(name))) walk.take(folder, entry);
    if (entry.isDirectory() && BACKUPS.test(name)) {
      for (const file of await walk.entriesOf(join(folder, name))) walk.take(join(folder, name), file);
    }
  }
  if (entries.every(({ name }) => name !== own)) walk.unread.push({ file: config, why: 'ENOENT' });
  return readAll(walk, [config]);
}

/** What a config includes; nothing of one that cannot be read. */
export async function filesIncluded(config: string): Promise<AuditedFiles> {
  const text = await readText(config);
  if (typeof text !== 'string') return { files: [], unread: [] };
  const { looked } = await include({ file: config, shown: config, document: parseDocument(text) });
  const [, ...included] = looked;
  const walk = new Walk();
  walk.found.push(...included);
  return readAll(walk, included);
}

/** What the state folder of OpenClaw holds of logins and keys: `auth-profiles.json`, `models.json`, `credentials/oauth.json`. */
export async function filesOfState(folder: string): Promise<AuditedFiles> {
  const walk = new Walk();
  for (const path of STATE) await walk.jsonIn(folder, path.split('/'));
  return readAll(walk, []);
}

/** The files that were named, whatever they are called. */
export async function filesNamed(paths: readonly string[], cwd: string): Promise<AuditedFiles> {
  const walk = new Walk();
  for (const path of paths) {
    const file = resolve(cwd, path);
    const found = await stat(file).catch(() => undefined);
    if (found?.isDirectory() === true) await walk.below(file);
    else walk.found.push(file);
  }
  return readAll(walk, []);
}

/** All of them; a file that is in several once. */
export function together(...all: readonly AuditedFiles[]): AuditedFiles {
  const once = <T extends { readonly file: string }>(of: (one: AuditedFiles) => readonly T[]): T[] => [
    ...new Map(all.flatMap(of).map((one) => [one.file, one])).values(),
  ];
  return {
    files: once(({ files }) => files),
    unread: once(({ unread }) => unread),
    skipped: once(({ skipped }) => skipped ?? []),
  };
}

/** A way through folders, with what was met. */
class Walk {
  readonly found: string[] = [];
  readonly unread: UnreadFile[] = [];
  readonly skipped: UnreadFile[] = [];

  async entriesOf(folder: string): Promise<Dirent[]> {
    try {
      return await readdir(folder, { withFileTypes: true });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR')
        this.unread.push({ file: folder, why: code ?? 'it cannot be read' });
      return [];
    }
  }

  /** An entry, when it is a file. */
  take(folder: string, entry: Dirent): void {
    const file = join(folder, entry.name);
    const why = whatElse(entry);
    if (why === undefined) this.found.push(file);
    else if (!entry.isDirectory()) this.skipped.push({ file, why: `it is ${why}` });
  }

  /** What a link leads to, under its own name. */
  async follow(link: string): Promise<void> {
    try {
      this.found.push(await realpath(link));
    } catch (error) {
      this.unread.push({ file: link, why: (error as NodeJS.ErrnoException).code ?? 'it cannot be read' });
    }
  }

  /** All of a folder, without what was installed or is a repository's own. */
  async below(folder: string): Promise<void> {
    for (const entry of await this.entriesOf(folder)) {
      this.take(folder, entry);
      const isOwn = entry.isDirectory() && entry.name !== 'node_modules' && entry.name !== '.git';
      if (isOwn && this.found.length <= MOST_FILES) await this.below(join(folder, entry.name));
    }
  }

  /** The JSON files of the folders that a path with stars leads to. */
  async jsonIn(folder: string, [name, ...rest]: readonly string[]): Promise<void> {
    if (name === '*') {
      for (const entry of await this.entriesOf(folder))
        if (entry.isDirectory()) await this.jsonIn(join(folder, entry.name), rest);
    } else if (name !== undefined) await this.jsonIn(join(folder, name), rest);
    else {
      for (const entry of await this.entriesOf(folder))
        if (/\.json5?(?:$|\.)/.test(entry.name) && !EXAMPLE.test(entry.name)) this.take(folder, entry);
    }
  }
}

/** Those of a config itself are no residue, whatever they are called. */
async function readAll(walk: Walk, own: readonly string[]): Promise<AuditedFiles> {
  const files: AuditedFile[] = [];
  const unread = [...walk.unread];
  const names = [...new Set(walk.found)].toSorted();
  for (const file of names.slice(0, MOST_FILES)) {
    const read = await readAudited(file);
    if ('why' in read) unread.push(read);
    else files.push({ file, ...read, isResidue: !own.includes(file) && isResidue(file) });
  }
  for (const file of names.slice(MOST_FILES)) unread.push({ file, why: `only ${MOST_FILES} files are read` });
  return { files, unread, skipped: walk.skipped };
}

function isResidue(file: string): boolean {
  return RESIDUE.test(basename(file)) || BACKUPS.test(basename(dirname(file)));
}
