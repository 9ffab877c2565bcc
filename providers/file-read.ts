import { constants, type Stats } from 'node:fs';
import { open, realpath, type FileHandle } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { ProviderError } from './provider.ts';
import { distrust, isBelow, systemCode, type TrustRules } from './trusted-file.ts';

/** What a file with a secret must be like. */
export interface FileRules extends TrustRules {
  /** Bytes at most. */
  readonly maxBytes: number;
  /** Links are followed; below a folder only to what is below it too. */
  readonly allowSymlinks: boolean;
  /** The folder that the file must lie below. */
  readonly root?: string;
}

/** A file that is replaced while it is read is read again, so often in all. */
const attempts = 3;

// A named pipe would make an open wait for its other end.
const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
const onlyThisFile = O_RDONLY | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0);

/**
 * Reads a file after it has looked who else could have read or written it: at what was opened, not at what a path
 * named a moment ago, and at every read. Content never gets into an error.
 *
 * @throws {ProviderError} `not-found`; `denied` when it must not be trusted or cannot be opened; `invalid` when it is
 * too large; `transient` when it changes all the time
 */
export async function readSecretFile(path: string, rules: FileRules, signal: AbortSignal): Promise<Buffer> {
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    signal.throwIfAborted();
    const handle = await open(await target(path, rules), onlyThisFile).catch(refuse(path));
    try {
      const read = await readWhole(handle, path, rules);
      if (read !== undefined) return read;
    } finally {
      await handle.close();
    }
  }
  throw new ProviderError('transient', `${path} was changed each time it was read. Replace it by a rename.`);
}

/** The file that is to be opened, without a link on the way where none is allowed. */
async function target(path: string, { root, allowSymlinks }: FileRules): Promise<string> {
  if (root === undefined) return allowSymlinks ? realpath(path).catch(refuse(path)) : path;
  const folder = await realpath(root).catch(refuse(root));
  const wanted = join(folder, relative(root, path));
  if (!allowSymlinks) {
    if ((await realpath(dirname(wanted)).catch(refuse(path))) === dirname(wanted)) return wanted;
    throw new ProviderError(
      'denied',
      `A folder on the way to ${path} is a symbolic link. Set allowSymlinks to follow links below ${root}.`,
    );
  }
  const real = await realpath(wanted).catch(refuse(path));
  if (isBelow(folder, real)) return real;
  throw new ProviderError('denied', `${path} is a link that leads out of ${root}. Put the file below it.`);
}

/** The content, or undefined when the file was changed meanwhile. */
async function readWhole(handle: FileHandle, path: string, rules: FileRules): Promise<Buffer | undefined> {
  const before = await handle.stat();
  const problem = distrust(path, before, rules) ?? hardLinked(path, before);
  if (problem !== undefined) throw new ProviderError('denied', problem);
  if (before.size > rules.maxBytes) {
    throw new ProviderError(
      'invalid',
      `${path} is larger than ${rules.maxBytes} bytes. Is it the right file? If so, raise maxBytes.`,
    );
  }
  // One byte more than there is to be: it shows growth. Memory of its own, so that zeros reach all of it.
  const buffer = Buffer.alloc(before.size + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
    length += bytesRead;
    if (bytesRead === 0 || length === buffer.length) break;
  }
  const after = await handle.stat();
  if (length === before.size && after.mtimeMs === before.mtimeMs && after.size === before.size) {
    return buffer.subarray(0, length);
  }
  buffer.fill(0);
  return undefined;
}

function hardLinked(path: string, stats: Stats): string | undefined {
  // 0: removed or replaced since it was opened, which is no second name.
  return stats.nlink > 1
    ? `${path} is a hard link: the same file has ${stats.nlink} names. Copy it, and remove the others.`
    : undefined;
}

/** Turns what the system says into words of ours. */
function refuse(path: string): (error: unknown) => never {
  return (error) => {
    const code = systemCode(error);
    switch (code) {
      case 'ENOENT':
      case 'ENOTDIR':
        throw new ProviderError('not-found', `There is no file ${path}.`);
      // FreeBSD says EMLINK.
      case 'ELOOP':
      case 'EMLINK':
        throw new ProviderError(
          'denied',
          `${path} is a symbolic link. Name the file itself, or set allowSymlinks.`,
        );
      case 'EACCES':
      case 'EPERM':
        throw new ProviderError(
          'denied',
          `This process may not open ${path} (${code}). Check its owner and mode.`,
        );
      default:
        throw new ProviderError('transient', `${path} cannot be opened (${code}).`);
    }
  };
}
