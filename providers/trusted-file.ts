import type { Stats } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, relative, sep } from 'node:path';
import type { OptionCheck } from './provider-options.ts';

const writableByOthers = 0o022;
const anythingByOthers = 0o077;

/** Whose hands a file may be in. */
export interface TrustRules {
  /** Others than the owner may read it, never write. */
  readonly allowReadableByOthers: boolean;
  /** Neither owner nor permissions are looked at. */
  readonly allowInsecurePath: boolean;
}

/**
 * Why a file must not be trusted, in words that end in what to do; undefined when it may be: a regular file that
 * belongs to this user or root and that nobody else can write, or read.
 */
export function distrust(path: string, stats: Stats, rules: TrustRules): string | undefined {
  if (!stats.isFile()) return `${path} is not a regular file. Name the file itself.`;
  if (rules.allowInsecurePath) return undefined;
  const user = process.geteuid?.();
  if (user === undefined) {
    return `Who may read or write ${path} cannot be checked on this platform. If that is safe, set allowInsecurePath.`;
  }
  if (stats.uid !== user && stats.uid !== 0) {
    return `${path} belongs to the user ${stats.uid}, who could change it. Run: chown ${user} ${path}`;
  }
  const forbidden = rules.allowReadableByOthers ? writableByOthers : anythingByOthers;
  if ((stats.mode & forbidden) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
    const fix = rules.allowReadableByOthers ? 'go-w' : 'go=';
    return `${path} is open to others (mode ${mode}). Run: chmod ${fix} ${path}`;
  }
  return undefined;
}

export const absolutePath: OptionCheck = (value) =>
  typeof value === 'string' && (isAbsolute(value) || value.startsWith('~/')) && !value.includes('\0')
    ? undefined
    : 'an absolute path, or one that begins with ~/';

/** With `~/` spelled out. */
export function expandHome(path: string): string {
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;
}

/** Whether a path lies below a folder; both without links. */
export function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** The code of a system error, such as `ENOENT`. */
export function systemCode(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : 'an unknown error';
}
