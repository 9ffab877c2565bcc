import { Lines } from '../config/excerpt.ts';
import type { ConfigPath } from '../config/finding.ts';
import type { OldFiles, PlainCredential } from './old-files.ts';
import { placeIn } from './old-files.ts';
import type { Passage } from './passages.ts';
import { isProtected } from './protected-texts.ts';
import type { Search } from './search.ts';
import { REMOVED_ITEM } from './spans.ts';
import { valueFree } from './value-free.ts';

/** A config whose values are gone wherever they stood besides the places that a migration empties. */
export interface BareConfig {
  /** The text of the config's own file; its credentials under names are still in it. */
  readonly text: string;
  /** All of the config; nothing of a value is in it any more. */
  readonly root: Readonly<Record<string, unknown>>;
  /** Where something was left that may be one of the values, for people. */
  readonly doubts: readonly string[];
}

export async function bareConfig(old: OldFiles, search: Search): Promise<BareConfig> {
  const { credentials, root, source, config } = old;
  const texts = new Map<string, string>();
  const doubts: string[] = [];
  let text = config.text;
  for (const [part, { file, document }] of source.parts.entries()) {
    const ofPart = credentials.filter((one) => one.file === file);
    const gone = {
      credentials: ofPart
        .filter(isItem)
        .map(({ span: { start, end } }) => ({ start, end, text: JSON.stringify(REMOVED_ITEM) })),
      search,
      stays: staysIn(old, part, new Set(ofPart.map(({ span }) => span.start))),
    };
    const free = await valueFree(document.text, gone, old.finder);
    if (part === 0) text = free.text;
    for (const [path, said] of free.texts) texts.set(`${part} ${path}`, said);
    const found = new Set(ofPart.map(({ span }) => span.start));
    const lines = new Lines(document.text);
    for (const at of free.doubts.filter((one) => !found.has(one))) {
      doubts.push(placeIn(file, lines.position(at).line, config.file));
    }
  }
  const gone = new Map(credentials.flatMap((one) => (one.keys ? [[JSON.stringify(one.keys), one]] : [])));
  return { text, root: withoutValues(root, old, texts, gone) as BareConfig['root'], doubts };
}

/** An item of a list: the others keep their places, so it is not taken out. */
function isItem({ keys }: PlainCredential): boolean {
  return typeof keys?.at(-1) === 'number';
}

function staysIn(old: OldFiles, part: number, found: ReadonlySet<number>): (passage: Passage) => boolean {
  return ({ kind, start, path }) => {
    if (kind === 'key') return true;
    // It is taken out with its name.
    if (found.has(start)) return true;
    return path !== undefined && isProtected(old.pathOf(part, path), old.root);
  };
}

function withoutValues(
  root: unknown,
  { source }: OldFiles,
  texts: ReadonlyMap<string, string>,
  gone: ReadonlyMap<string, PlainCredential>,
): unknown {
  const walk = (value: unknown, keys: ConfigPath): unknown => {
    if (typeof value === 'string') {
      const { part, path } = source.originOf(keys);
      return texts.get(`${part} ${JSON.stringify(path)}`) ?? value;
    }
    if (Array.isArray(value)) {
      return value.map((item, n) =>
        gone.has(JSON.stringify([...keys, n])) ? REMOVED_ITEM : walk(item, [...keys, n]),
      );
    }
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => !gone.has(JSON.stringify([...keys, key])))
        .map(([key, member]) => [key, walk(member, [...keys, key])]),
    );
  };
  return walk(root, []);
}
