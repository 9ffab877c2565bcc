import { isUtf8 } from 'node:buffer';
import { isAbsolute, join } from 'node:path';
import {
  failureOf,
  ProviderError,
  ProviderOptionsError,
  type RotationHint,
  type SecretProvider,
} from './provider.ts';
import { readSecretFile, type FileRules } from './file-read.ts';
import { notJson, replaceFile, replaceInJson } from './file-replace.ts';
import { watchFiles } from './file-watch.ts';
import { isPointer, spanAtPointer } from './json-pointer.ts';
import { kindAt, rootSpan, textAt } from './json-text.ts';
import {
  flag,
  milliseconds,
  oneOf,
  optionProblems,
  positiveInteger,
  type OptionCheck,
} from './provider-options.ts';
import { createProviderVersions } from './provider-versions.ts';
import { absolutePath, expandHome } from './trusted-file.ts';

/** The options of the `file` provider: one file with `path`, or a folder with a file for each secret with `root`. */
export interface FileProviderOptions {
  /** The file with all secrets. Absolute, or beginning with `~/`. */
  readonly path?: string;
  /**
   * What the file holds. `json` (the default): a JSON document, and a ref's `id` is a pointer into it such as
   * `/providers/openai/apiKey`. `singleValue`: one value, and the `id` is `value`.
   */
  readonly mode?: 'json' | 'singleValue';
  /** The folder with a file for each secret; a ref's `id` is the path below it, such as `db/password`. */
  readonly root?: string;
  /** Bytes of a file at most. Default 1 MiB; a value may have 64 KiB. */
  readonly maxBytes?: number;
  /** Milliseconds for one read. Default 5000. */
  readonly timeoutMs?: number;
  /** Whether a change is noticed when it happens, not only at the next look. Default true. */
  readonly watch?: boolean;
  /** Links are followed, below `root` only to what is below it: for Kubernetes. Default false. */
  readonly allowSymlinks?: boolean;
  /** Others may be able to read the files, never to write them: for Docker secrets. Default false. */
  readonly allowReadableByOthers?: boolean;
  /** Owner and mode are not looked at. The only way on Windows. Default false. */
  readonly allowInsecurePath?: boolean;
}

interface FoundValue {
  readonly versionId: string;
  readonly bytes: Uint8Array;
}

const checks: Record<keyof FileProviderOptions, OptionCheck> = {
  path: absolutePath,
  mode: oneOf('json', 'singleValue'),
  root: absolutePath,
  maxBytes: positiveInteger,
  timeoutMs: milliseconds,
  watch: flag,
  allowSymlinks: flag,
  allowReadableByOthers: flag,
  allowInsecurePath: flag,
};

/** The names of all options. */
export const fileOptionNames: readonly string[] = Object.keys(checks);

/** What is wrong with the options, one sentence each, without any value; empty when nothing is. */
export function fileOptionProblems(options: unknown = {}): string[] {
  const problems = optionProblems(options, checks);
  const { path, root, mode } = (options ?? {}) as FileProviderOptions;
  if (path === undefined && root === undefined)
    problems.push('"path" or "root" is needed: one file, or a folder');
  if (path !== undefined && root !== undefined) problems.push('"path" and "root" exclude each other');
  if (root !== undefined && mode !== undefined)
    problems.push('"mode" says what is in a "path", not in a "root"');
  return problems;
}

/**
 * Secrets from files, each of which must be a regular file of this user or root that nobody else can read or write,
 * with one name and no link on the way to it. All that is looked at again at every read, on the open file.
 *
 * A version is counted when the bytes have changed. One newline at the end of a text is not part of a value.
 *
 * @throws {ProviderOptionsError} naming every wrong option
 */
export function createFileProvider(options?: unknown): SecretProvider {
  const problems = fileOptionProblems(options);
  if (problems.length > 0) throw new ProviderOptionsError('file', problems);
  const {
    path,
    root,
    mode = 'json',
    timeoutMs = 5_000,
    watch = true,
    ...rest
  } = options as FileProviderOptions;
  const rules: FileRules = {
    maxBytes: rest.maxBytes ?? 1024 * 1024,
    allowSymlinks: rest.allowSymlinks ?? false,
    allowReadableByOthers: rest.allowReadableByOthers ?? false,
    allowInsecurePath: rest.allowInsecurePath ?? false,
    ...(root !== undefined && { root: expandHome(root) }),
  };
  const locate = (id: string): string => {
    if (rules.root !== undefined) return join(rules.root, checkedWay(id));
    if (mode === 'singleValue' ? id !== 'value' : !isPointer(id)) throw wrongId(id, mode);
    return expandHome(path ?? '');
  };
  const versions = createProviderVersions('file');
  /** What was last found, by id: the version, or the class of the failure. */
  const found = new Map<string, string>();
  let noticed: () => void = () => {};

  /** Never settles late: a file system that hangs is given up at its deadline. */
  async function read(id: string, signal: AbortSignal): Promise<FoundValue> {
    signal.throwIfAborted();
    const file = locate(id);
    const isNew = !found.has(id);
    const deadline = AbortSignal.timeout(timeoutMs);
    const bounded = AbortSignal.any([signal, deadline]);
    try {
      for (;;) {
        const versionOf = versions.reading(id);
        const content = await unlessAborted(readSecretFile(file, rules, bounded), bounded);
        const bytes =
          mode === 'json' && path !== undefined ? valueAt(content, id, file) : withoutNewline(content);
        const versionId = versionOf(bytes);
        if (versionId === undefined) {
          bytes.fill(0);
          continue;
        }
        found.set(id, versionId);
        return { versionId, bytes };
      }
    } catch (error) {
      if (signal.aborted) throw error;
      const late = deadline.aborted && !(error instanceof ProviderError);
      const told = late
        ? new ProviderError('transient', `${file} was not read within ${timeoutMs} ms.`)
        : error;
      found.set(id, failureOf(told));
      throw told;
    } finally {
      if (isNew) noticed();
    }
  }

  return {
    name: 'file',
    capabilities: { versions: true, ...(watch && { push: true }) },

    async describe(ref, signal) {
      const { versionId, bytes } = await read(ref.id, signal);
      bytes.fill(0);
      return { current: versionId };
    },

    async fetch(ref, selector, signal) {
      const { versionId, bytes } = await read(ref.id, signal);
      if (selector.versionId === undefined || selector.versionId === versionId) {
        return { versionId, stages: [], bytes };
      }
      bytes.fill(0);
      throw new ProviderError(
        'not-found',
        `A file keeps one version only, and that of ${ref.id} has changed since. Ask for the current one.`,
      );
    },

    async put({ id }, value, signal) {
      const file = locate(id);
      if (rules.allowSymlinks) {
        const why = 'It may be reached by a link, which would be replaced. Change it where it comes from.';
        throw new ProviderError('denied', `${file} is not written. ${why}`);
      }
      // Read first: what nobody may rely on is not written either.
      const content = await readSecretFile(file, rules, signal);
      try {
        if (mode === 'json' && path !== undefined) await replaceInJson(file, content, id, value);
        else await replaceFile(file, value);
      } finally {
        content.fill(0);
      }
      const { bytes } = await read(id, signal);
      bytes.fill(0);
      // Versions of files are counted, by each process from the beginning.
      return {};
    },

    ...(watch && {
      async watch(
        emit: (hint: RotationHint) => void,
        signal: AbortSignal,
        report?: (trouble: ProviderError) => void,
      ): Promise<void> {
        const troubled = new Map<string, string>();
        const look = async (id: string): Promise<void> => {
          const before = found.get(id);
          const now = await read(id, signal).catch((error: unknown) => error);
          if (signal.aborted) return;
          if (!(now instanceof Error)) {
            (now as FoundValue).bytes.fill(0);
            troubled.delete(id);
          } else if (now instanceof ProviderError && now.failure !== 'not-found') {
            if (troubled.get(id) !== now.message) report?.(now);
            troubled.set(id, now.message);
          }
          if (found.get(id) === before) return;
          const versionId = now instanceof Error ? undefined : (now as FoundValue).versionId;
          emit({ id, ...(versionId !== undefined && { versionId }), source: 'file' });
        };
        await watchFiles({
          signal,
          files: () =>
            rules.root === undefined ? [expandHome(path ?? '')] : [...found.keys()].flatMap(wayTo),
          folders: () => (rules.root === undefined ? [] : [rules.root]),
          followLinks: rules.allowSymlinks,
          changed: async () => {
            for (const id of found.keys()) await look(id);
          },
          onMore: (more) => {
            noticed = more;
          },
          ...(report && { report }),
        });
        noticed = () => {};
      },
    }),

    classify: failureOf,
  };

  function wayTo(id: string): string[] {
    try {
      return [locate(id)];
    } catch {
      return [];
    }
  }
}

/**
 * The id of a secret below a folder, if it cannot lead anywhere else.
 *
 * @throws {ProviderError} `invalid` otherwise
 */
export function checkedWay(id: string): string {
  const isPlain = id.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  if (isPlain && !isAbsolute(id) && !/[\0\\]/.test(id)) return id;
  throw new ProviderError(
    'invalid',
    `The id ${id} is not a path below the folder. Use names joined by /, such as db/password.`,
  );
}

function wrongId(id: string, mode: 'json' | 'singleValue'): ProviderError {
  const advice =
    mode === 'json'
      ? 'is not a JSON pointer. Use one such as /providers/openai/apiKey'
      : 'must be "value": the file holds a single value';
  return new ProviderError('invalid', `The id ${id} ${advice}.`);
}

/** A text, or the JSON of several parts as it stands in the file. */
function valueAt(content: Buffer, pointer: string, file: string): Uint8Array {
  try {
    if (rootSpan(content) === undefined) throw notJson(file);
    const span = spanAtPointer(content, pointer);
    if (span === undefined) throw new ProviderError('not-found', `${file} has nothing at ${pointer}.`);
    const kind = kindAt(content, span);
    const value = textAt(content, span);
    if (value === undefined)
      throw new ProviderError('not-found', `${file} has null at ${pointer}, which is not a secret.`);
    if (kind !== 'number' && kind !== 'boolean' && value.length > 0) return value;
    throw new ProviderError(
      'invalid',
      `${file} has no text at ${pointer}, or an empty one. Write the secret in quotes.`,
    );
  } finally {
    content.fill(0);
  }
}

/** Text without the one newline that editors and `echo` put at its end; other bytes as they are. */
function withoutNewline(content: Buffer): Uint8Array {
  const last = content.length - 1;
  if (content[last] !== 0x0a || !isUtf8(content)) return notEmpty(content);
  return notEmpty(content.subarray(0, content[last - 1] === 0x0d ? last - 1 : last));
}

function notEmpty(bytes: Uint8Array): Uint8Array {
  if (bytes.length > 0) return bytes;
  throw new ProviderError('invalid', 'The file of the secret is empty. Write the value into it.');
}

/** Settles as the promise does, or rejects when the signal aborts; what comes later is overwritten. */
async function unlessAborted(reading: Promise<Buffer>, signal: AbortSignal): Promise<Buffer> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => {
    reading.then(
      (late) => late.fill(0),
      () => undefined,
    );
    aborted.reject(signal.reason);
  };
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([reading, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
