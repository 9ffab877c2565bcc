import { Lines } from '../config/excerpt.ts';
import { plainText } from '../config/received.ts';
import type { Change } from './change.ts';
import { entriesIn, envFree } from './env-free.ts';
import type { KeptCredential } from './kept-values.ts';
import { type OldFile, type OldFiles, placeIn } from './old-files.ts';
import { isNamedCredential } from './named-credentials.ts';
import type { Search } from './search.ts';
import { reference, valueFree } from './value-free.ts';

/** Values that have left, and where they are. */
export interface Kept {
  readonly kept: readonly KeptCredential[];
  /** As `kept:openai/apiKey`, one for each. */
  readonly refs: readonly string[];
  readonly search: Search;
}

export interface CleanedFiles {
  /** The files that are no config of their own, without the values; those that stay as they are too. */
  readonly changes: readonly Change[];
  /** The old config, with a reference where each value was. */
  readonly backup: string;
  /** Where something was left that may be one of the values, for people. */
  readonly doubts: readonly string[];
  /** Where a credential was left that two programs read in two ways. */
  readonly disputed: readonly string[];
}

/** What lies beside a config, what it includes and what it was, without the values. */
export async function cleanedFiles(old: OldFiles, { kept, refs, search }: Kept): Promise<CleanedFiles> {
  const byValue = new Map(kept.map(({ value }, n) => [value, refs[n] ?? '']));
  const refOf = (value: string): string | undefined => byValue.get(value);
  const refsIn = (file: string) =>
    kept.flatMap(({ places }, n) =>
      places
        .filter((place) => place.file === file)
        .map(({ span: { start, end } }) => ({ start, end, ref: refs[n] ?? '' })),
    );
  const doubts: string[] = [];
  const disputed: string[] = [];
  const clean = async ({ file, text, kind }: OldFile): Promise<string> => {
    if (kind === 'text') return text;
    const found = refsIn(file);
    const inEnv = { credentials: new Map(found.map(({ start, ref }) => [start, ref])), search, refOf };
    const inJson = {
      credentials: found.map(({ start, end, ref }) => ({ start, end, text: reference(ref) })),
      search,
    };
    const free =
      kind === 'env' ? await envFree(text, inEnv, old.finder) : await valueFree(text, inJson, old.finder);
    const lines = new Lines(text);
    // What is left in a config is told of the config itself.
    if (kind === 'env' || kind === 'json') {
      doubts.push(...free.doubts.map((at) => placeIn(file, lines.position(at).line, old.config.file)));
    }
    if (kind === 'env') {
      const entries = await entriesIn(text, old.finder);
      const found = entries.filter((one) => one.isDisputed && isNamedCredential(one));
      disputed.push(
        ...found.map(
          ({ start, name }) =>
            `${placeIn(file, lines.position(start).line, old.config.file)} ${plainText(name)}`,
        ),
      );
    }
    return free.text;
  };
  const changes: Change[] = [];
  for (const one of old.files) {
    if (one.kind === 'config') continue;
    const change = { file: one.file, before: one.text, after: await clean(one) };
    changes.push(one.isResidue ? { ...change, mode: 0o600 } : change);
  }
  return { changes, backup: await clean(old.config), doubts, disputed };
}
