import { constants, open, stat } from 'node:fs/promises';

/** A config is a few KiB, and so is what lies beside it. */
const LARGEST_FILE = 1024 * 1024;

export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be';

export interface AuditedText {
  /** Absolute path. */
  readonly file: string;
  /** Decoded, with its byte order mark when it has one. */
  readonly text: string;
  /** A backup, or a version of before. */
  readonly isResidue: boolean;
}

export interface AuditedFile extends AuditedText {
  readonly encoding: Encoding;
}

/** What was not looked at, and why. */
export interface UnreadFile {
  readonly file: string;
  readonly why: string;
}

/** The text of a file, or why there is none. A pipe or a device is not opened: it could keep us waiting for ever. */
export async function readAudited(
  file: string,
): Promise<Pick<AuditedFile, 'text' | 'encoding'> | UnreadFile> {
  try {
    const kind = whatElse(await stat(file));
    if (kind !== undefined) return { file, why: `it is ${kind}` };
    // In case that it has become a pipe since.
    const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const bytes = Buffer.alloc(LARGEST_FILE + 1);
      let length = 0;
      for (let read = 1; read > 0 && length < bytes.length; length += read)
        ({ bytesRead: read } = await handle.read(bytes, length, bytes.length - length));
      if (length > LARGEST_FILE) return { file, why: 'it is larger than 1 MiB' };
      const encoding = encodingOf(bytes.subarray(0, length));
      return { text: decoded(bytes.subarray(0, length), encoding), encoding };
    } finally {
      await handle.close();
    }
  } catch (error) {
    return { file, why: (error as NodeJS.ErrnoException).code ?? 'it cannot be read' };
  }
}

interface Kind {
  isFile(): boolean;
  isDirectory(): boolean;
  isFIFO(): boolean;
  isSocket(): boolean;
  isSymbolicLink(): boolean;
}

/** What it is when it is no file. */
export function whatElse(entry: Kind): string | undefined {
  if (entry.isFile()) return undefined;
  if (entry.isDirectory()) return 'a folder';
  if (entry.isFIFO()) return 'a pipe';
  if (entry.isSocket()) return 'a socket';
  if (entry.isSymbolicLink()) return 'a link: what it leads to lies elsewhere';
  return 'a device';
}

/** By its byte order mark, or by the zeros that UTF-16 has beside letters. */
function encodingOf(bytes: Buffer): Encoding {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  const start = bytes.subarray(0, 512);
  const zeros = [0, 0];
  for (const [n, byte] of start.entries()) if (byte === 0) zeros[n % 2] = (zeros[n % 2] ?? 0) + 1;
  const [even = 0, odd = 0] = zeros;
  const most = start.length / 4;
  if (odd > most && even < most / 4) return 'utf-16le';
  return even > most && odd < most / 4 ? 'utf-16be' : 'utf-8';
}

function decoded(bytes: Buffer, encoding: Encoding): string {
  return new TextDecoder(encoding, { ignoreBOM: true }).decode(bytes);
}
