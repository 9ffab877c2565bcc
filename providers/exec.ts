import { lstat, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  failureOf,
  ProviderError,
  ProviderOptionsError,
  type FetchResult,
  type SecretProvider,
  type SecretRef,
} from './provider.ts';
import { isResolvable, readAnswer, request, type Resolved } from './exec-protocol.ts';
import { run } from './exec-run.ts';
import { createSeats } from './seats.ts';
import {
  flag,
  listOf,
  milliseconds,
  optionProblems,
  positiveInteger,
  type OptionCheck,
} from './provider-options.ts';
import { createProviderVersions } from './provider-versions.ts';
import { absolutePath, distrust, expandHome, isBelow, systemCode } from './trusted-file.ts';

/** Ids of one run. Resolvers may have limits of their own; 50 is the lowest that was seen. */
const batchLimit = 50;
/** Runs at one time, as OpenClaw. */
const runsAtOnce = 4;
/** How often a value is read again that another run has overtaken. */
const attempts = 3;

/** The options of the `exec` provider. */
export interface ExecProviderOptions {
  /** The command: an absolute path, or one that begins with `~/`. It is run directly, without a shell. */
  readonly command: string;
  readonly args?: readonly string[];
  /** Variables of its environment, which holds nothing else but those of `passEnv`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Names of variables that it gets from the host's environment, such as `PATH` and `HOME`. */
  readonly passEnv?: readonly string[];
  /** Milliseconds for one run. Default 5000. */
  readonly timeoutMs?: number;
  /** Milliseconds without any output. Default: `timeoutMs`. */
  readonly noOutputTimeoutMs?: number;
  /** Bytes of output at most. Default 1 MiB. */
  readonly maxOutputBytes?: number;
  /** Whether it speaks the resolver protocol. `false`: it may also print a value as it is. Default true. */
  readonly jsonOnly?: boolean;
  /** The command may be a symbolic link, such as those of Homebrew; best with `trustedDirs`. Default false. */
  readonly allowSymlinkCommand?: boolean;
  /** Folders below which the command must lie, links resolved. Default: anywhere. */
  readonly trustedDirs?: readonly string[];
  /** Owner and mode of the command are not looked at. The only way on Windows. Default false. */
  readonly allowInsecurePath?: boolean;
}

const variables: OptionCheck = (value) =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((each) => typeof each === 'string')
    ? undefined
    : 'an object of texts';

const texts: OptionCheck = (value) =>
  Array.isArray(value) && value.every((each) => typeof each === 'string') ? undefined : 'an array of texts';

const folders: OptionCheck = (value) =>
  Array.isArray(value) && value.every((each) => absolutePath(each) === undefined)
    ? undefined
    : 'an array of absolute paths';

const checks: Record<keyof ExecProviderOptions, OptionCheck> = {
  command: absolutePath,
  args: texts,
  env: variables,
  passEnv: listOf('environment variable names'),
  timeoutMs: milliseconds,
  noOutputTimeoutMs: milliseconds,
  maxOutputBytes: positiveInteger,
  jsonOnly: flag,
  allowSymlinkCommand: flag,
  trustedDirs: folders,
  allowInsecurePath: flag,
};

/** The names of all options. */
export const execOptionNames: readonly string[] = Object.keys(checks);

/** What is wrong with the options, one sentence each, without any value; empty when nothing is. */
export function execOptionProblems(options: unknown = {}): string[] {
  const problems = optionProblems(options, checks);
  const { command } = (options ?? {}) as Partial<ExecProviderOptions>;
  if (command === undefined) problems.push('"command" is needed: the absolute path of a resolver');
  return problems;
}

/**
 * Secrets from a command that speaks OpenClaw's resolver protocol, version 1: it reads
 * `{"protocolVersion":1,"provider":"vault","ids":["a"]}` and prints `{"protocolVersion":1,"values":{"a":"…"}}`, with
 * `"errors":{"a":{"code":"NOT_FOUND"}}` for what it does not have.
 *
 * The command must be a regular file of this user or root that nobody else can write; that is looked at before every
 * run. A version is counted when the bytes have changed, so a look costs a run as a read does.
 *
 * @throws {ProviderOptionsError} naming every wrong option
 */
export function createExecProvider(options: unknown): SecretProvider {
  const problems = execOptionProblems(options);
  if (problems.length > 0) throw new ProviderOptionsError('exec', problems);
  const settings = options as ExecProviderOptions;
  const { args = [], env = {}, passEnv = [], timeoutMs = 5_000, jsonOnly = true } = settings;
  const { noOutputTimeoutMs = timeoutMs, maxOutputBytes = 1024 * 1024 } = settings;
  const command = expandHome(settings.command);
  const versions = createProviderVersions('exec');
  const seat = createSeats(runsAtOnce);

  const resolve = (
    provider: string,
    ids: readonly string[],
    signal: AbortSignal,
  ): Promise<Map<string, Resolved>> =>
    seat(signal, async () => {
      const passed = passEnv.flatMap((name) => {
        const value = process.env[name];
        return value === undefined ? [] : [[name, value]];
      });
      const output = await run(
        {
          command: await trustedCommand(command, settings),
          args,
          env: { ...(Object.fromEntries(passed) as Record<string, string>), ...env },
          input: request(provider, ids),
          timeoutMs,
          noOutputTimeoutMs,
          maxOutputBytes,
        },
        signal,
      );
      try {
        return readAnswer(command, output, ids, !jsonOnly);
      } finally {
        output.fill(0);
      }
    });

  async function read(ref: SecretRef, signal: AbortSignal): Promise<FetchResult> {
    signal.throwIfAborted();
    if (!isResolvable(ref.id)) throw notResolvable(ref.id);
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      const versionOf = versions.reading(ref.id);
      const resolved = (await resolve(ref.provider, [ref.id], signal)).get(ref.id);
      if (!(resolved instanceof Uint8Array)) throw resolved ?? overtaken(ref.id);
      const versionId = versionOf(resolved);
      if (versionId !== undefined) return { versionId, stages: [], bytes: resolved };
      resolved.fill(0);
    }
    throw overtaken(ref.id);
  }

  async function readMany(
    refs: readonly SecretRef[],
    signal: AbortSignal,
  ): Promise<Map<string, FetchResult | ProviderError>> {
    const found = new Map<string, FetchResult | ProviderError>();
    const ids = [...new Set(refs.map(({ id }) => id))];
    for (const id of ids) if (!isResolvable(id)) found.set(id, notResolvable(id));
    const good = ids.filter((id) => isResolvable(id));
    for (let at = 0; at < good.length; at += batchLimit) {
      const some = good.slice(at, at + batchLimit);
      const versionOf = new Map(some.map((id) => [id, versions.reading(id)]));
      const resolved = await resolve(refs[0]?.provider ?? '', some, signal).catch((error: unknown) => {
        if (error instanceof ProviderError) return error;
        throw error;
      });
      for (const id of some) {
        const one = resolved instanceof ProviderError ? resolved : (resolved.get(id) ?? overtaken(id));
        if (one instanceof ProviderError) {
          found.set(id, one);
          continue;
        }
        const versionId = versionOf.get(id)?.(one);
        if (versionId === undefined) one.fill(0);
        found.set(id, versionId === undefined ? overtaken(id) : { versionId, stages: [], bytes: one });
      }
    }
    return found;
  }

  return {
    name: 'exec',
    capabilities: { versions: false, ...(jsonOnly && { batch: batchLimit }) },
    async describe(ref, signal) {
      const { versionId, bytes } = await read(ref, signal);
      bytes.fill(0);
      return { current: versionId };
    },
    async fetch(ref, selector, signal) {
      const found = await read(ref, signal);
      if (selector.versionId === undefined || selector.versionId === found.versionId) return found;
      found.bytes.fill(0);
      throw new ProviderError(
        'not-found',
        `The command keeps one version of ${ref.id} only, and it has changed since. Ask for the current one.`,
      );
    },
    ...(jsonOnly && { fetchMany: readMany }),
    classify: failureOf,
  };
}

/** The real path of the command, when it may be run. */
async function trustedCommand(command: string, settings: ExecProviderOptions): Promise<string> {
  const named = await lstat(command).catch(absent(command));
  if (named.isSymbolicLink() && settings.allowSymlinkCommand !== true) {
    throw new ProviderError(
      'denied',
      `The command ${command} is a symbolic link. Name the file itself, or set allowSymlinkCommand and trustedDirs.`,
    );
  }
  const real = await realpath(command).catch(absent(command));
  const trusted = settings.trustedDirs;
  if (trusted !== undefined) {
    const below = await Promise.all(
      trusted.map((folder) => realpath(expandHome(folder)).catch(() => undefined)),
    );
    if (!below.some((folder) => folder !== undefined && isBelow(folder, real))) {
      throw new ProviderError('denied', `The command ${real} is not in any of the trustedDirs.`);
    }
  }
  const rules = { allowReadableByOthers: true, allowInsecurePath: settings.allowInsecurePath === true };
  const problem = distrust(real, await stat(real).catch(absent(real)), rules);
  if (problem !== undefined) throw new ProviderError('denied', problem);
  const folder = await stat(dirname(real)).catch(absent(real));
  const isForAll = (folder.mode & 0o002) !== 0 && (folder.mode & 0o1000) === 0;
  if (isForAll && !rules.allowInsecurePath) {
    const fix = `Run: chmod o-w ${dirname(real)}`;
    throw new ProviderError(
      'denied',
      `Anybody could replace ${real}: its folder can be written by all. ${fix}`,
    );
  }
  return real;
}

function absent(path: string): (error: unknown) => never {
  return (error) => {
    const text = `The command ${path} cannot be found (${systemCode(error)}). Correct the path, or install it.`;
    throw new ProviderError('invalid', text);
  };
}

function notResolvable(id: string): ProviderError {
  const rule = 'Use letters, digits and . _ : / # -, at most 256, beginning with a letter or digit';
  return new ProviderError('invalid', `The id ${JSON.stringify(id)} is not valid for a resolver. ${rule}.`);
}

function overtaken(id: string): ProviderError {
  return new ProviderError('transient', `The value of ${id} was changed each time it was read.`);
}
