import { basename } from 'node:path';
import { valuesOfJson } from '../secrets-audit/named-values.ts';
import type { Choices } from './choices.ts';
import { isNamedCredential } from './named-credentials.ts';
import type { OldFiles, PlainCredential } from './old-files.ts';
import { weightOf } from './weight.ts';

/** A value that goes into the store. */
export interface KeptCredential {
  readonly id: string;
  readonly value: string;
  /** All places where it stood; several have the same value. */
  readonly places: readonly PlainCredential[];
}

/** Names of files have at most 255 bytes, and a number may follow. */
const LONGEST_NAME = 100;

/**
 * One for each value; a value that two may have chosen without knowing of each other (`admin`) is one for each place. The names in
 * the config go before those in what lies beside it.
 */
export function keptOf(old: OldFiles, choices?: Choices): KeptCredential[] {
  const { credentials, config } = old;
  const byValue = new Map<string, PlainCredential[]>();
  for (const one of credentials) {
    const isShared = weightOf(one.value) !== 'word';
    const key = isShared ? one.value : JSON.stringify([one.file, one.span.start]);
    byValue.set(key, [...(byValue.get(key) ?? []), one]);
  }
  const taken = new Set<string>();
  return Array.from(byValue.values(), (places) => {
    const [first] = places.toSorted(
      (a, b) => Number(b.file === config.file) - Number(a.file === config.file),
    );
    const isOld = places.every(({ file }) => isResidue(old, file));
    const folder = isOld ? ['backups', basename(first?.file ?? '')] : [];
    const name = folder
      .concat(first?.keys?.map(String) ?? [first?.path ?? 'secret'])
      .map(fileName)
      .join('/');
    let id = choices?.idOf(places) ?? name;
    // A file cannot be a folder too.
    for (let n = 2; isTaken(taken, id); n += 1) id = `${name}-${n}`;
    taken.add(id);
    return { id, value: first?.value ?? '', places };
  });
}

export function isResidue({ files }: OldFiles, file: string): boolean {
  return files.find((one) => one.file === file)?.isResidue === true;
}

function fileName(part: string): string {
  const name = part.replaceAll(/[^\w.-]+/g, '-').replace(/^\.+$/, '-');
  return name.slice(0, LONGEST_NAME) || '-';
}

function isTaken(taken: ReadonlySet<string>, id: string): boolean {
  return [...taken].some((other) => other === id || other.startsWith(`${id}/`) || id.startsWith(`${other}/`));
}

/** What is secret in a value that has more than that: the password of a URL, the token behind `Bearer`, credentials in JSON. */
export function secretPartsOf(value: string): string[] {
  const [, password] = /^[a-z][\w+.-]{0,31}:\/\/[^\s:/@?#]{0,256}:([^\s@/]{1,512})@/i.exec(value) ?? [];
  const [, token] = /^(?:apikey|basic|bearer|bot|key|token)\s{1,8}(\S+)$/i.exec(value.trim()) ?? [];
  const inJson = /^\s*[{[]/.test(value) ? (valuesOfJson(value) ?? []).filter(isNamedCredential) : [];
  return [password, token, ...inJson.map((one) => one.value)].filter((part) => part !== undefined);
}
