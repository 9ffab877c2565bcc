import type { Transform } from 'node:stream';
import type * as Zlib from 'node:zlib';
import type { BodySource } from './body-source.ts';

type Decoder = Transform & Zlib.Zlib;
type MakeDecoder = (first: Uint8Array) => Decoder;
type Decoders = ReadonlyMap<string, MakeDecoder>;

let made: Decoders | undefined;

/** Made with the first request: not every program sends one, and zlib is a good part of an import. */
const decoders = (): Decoders => (made ??= decodersOf(process.getBuiltinModule('node:zlib')));

function decodersOf(zlib: typeof Zlib): Decoders {
  const sync = { flush: zlib.constants.Z_SYNC_FLUSH, chunkSize: 65_536 };
  const brotli = { flush: zlib.constants.BROTLI_OPERATION_FLUSH, chunkSize: 65_536 };
  const gunzip: MakeDecoder = () => zlib.createGunzip(sync);
  /** Some services send the bare form of deflate; the low half of the first byte of the other form is 8. */
  const inflate: MakeDecoder = ([first = 0]) =>
    (first & 15) === 8 ? zlib.createInflate(sync) : zlib.createInflateRaw(sync);
  const unzstd: MakeDecoder = () => zlib.createZstdDecompress({ chunkSize: 65_536 });
  return new Map<string, MakeDecoder>([
    ['gzip', gunzip],
    ['x-gzip', gunzip],
    ['deflate', inflate],
    ['br', () => zlib.createBrotliDecompress(brotli)],
    ...(isZstdWhole(zlib) ? [['zstd', unzstd] as const] : []),
  ]);
}

/** In Node 22 the decoder of zstd takes a body that was cut short for a whole one. */
function isZstdWhole(zlib: typeof Zlib): boolean {
  try {
    zlib.zstdDecompressSync(Buffer.alloc(0));
    return false;
  } catch {
    return true;
  }
}

/** The encodings that a service is asked for. */
export function acceptedEncodings(): string {
  return [...decoders().keys()].filter((name) => name !== 'x-gzip').join(', ');
}

/** The most encodings of one body, each of which has a decoder. */
const MOST_ENCODINGS = 4;

/** The encodings that `content-encoding` names, in the order in which they were applied; undefined: one is not known. */
export function encodingsIn(written = ''): readonly string[] | undefined {
  const names = written.split(',').map((name) => name.trim().toLowerCase());
  const applied = names.filter((name) => name !== '' && name !== 'identity');
  return applied.length <= MOST_ENCODINGS && applied.every((name) => decoders().has(name))
    ? applied
    : undefined;
}

/**
 * The frames of one body in zstd: more than the largest has that was compressed by many cores, 8 MiB a frame. Each has a
 * decoder of its own, which takes the host 0.2 ms.
 */
const MOST_FRAMES = 1024;
/** The compressed bytes that may wait for the decoder: one part of a socket. */
const WAITING = 65_536;

/**
 * The body as it was before compression, in which a secret could not be found. A body that is cut short is an error. One in
 * zstd may have several frames; of the other encodings nothing follows the end, and what does is not waited for.
 */
export function decoded(source: BodySource, encoding: string): BodySource {
  const create = decoders().get(encoding);
  if (create === undefined) return source;
  const most = encoding === 'zstd' ? MOST_FRAMES : 1;
  let decoder: Decoder | undefined;
  return {
    read(sink) {
      const waiting: Uint8Array[] = [];
      let bytes = 0;
      let frames = 0;
      /** The part that the decoder has, and the bytes that it had before. */
      let part: Uint8Array | undefined;
      let before = 0;
      let isFull = false;
      /** All of the body has come. */
      let isHere = false;
      let ended = false;
      const end = (error?: unknown): void => {
        if (ended) return;
        ended = true;
        waiting.length = 0;
        decoder?.destroy();
        sink.end(error);
        // Nobody reads the rest, and its connection would wait for that.
        if (!isHere) source.abort(error ?? new Error('something follows the end of this body'));
      };
      const begin = (first: Uint8Array): Decoder => {
        const made = create(first);
        frames += 1;
        made.on('data', (plain: Buffer) => {
          if (!ended && !sink.data(plain)) made.pause();
        });
        made.on('error', end);
        made.on('end', () => {
          const rest = left();
          if (rest === undefined || most === 1) return end();
          if (frames >= most) return end(new Error('this body has too many frames'));
          decoder = undefined;
          waiting.unshift(rest);
          bytes += rest.byteLength;
          next();
        });
        return made;
      };
      /** What the decoder has not taken of the part that it has: its frame has ended before. */
      const left = (): Uint8Array | undefined => {
        if (part === undefined || decoder === undefined) return undefined;
        const used = decoder.bytesWritten - before;
        return used < part.byteLength ? part.subarray(used) : undefined;
      };
      // One part at a time: where a frame ends within it is known before the next one follows.
      const next = (): void => {
        part = waiting.shift();
        if (part === undefined) return isHere ? finish() : undefined;
        bytes -= part.byteLength;
        const made = (decoder ??= begin(part));
        before = made.bytesWritten;
        made.write(part, (error) => {
          // It ends as soon as all of its frame was read.
          if (ended || error || made !== decoder || left() !== undefined) return;
          next();
          if (!isFull || bytes >= WAITING) return;
          isFull = false;
          source.resume();
        });
      };
      const finish = (): void => {
        if (decoder === undefined) end();
        else decoder.end();
      };
      source.read({
        data(more) {
          if (ended) return false;
          waiting.push(more);
          bytes += more.byteLength;
          if (part === undefined) next();
          isFull = bytes >= WAITING;
          return !isFull;
        },
        end(error) {
          if (error !== undefined) return end(error);
          isHere = true;
          if (part === undefined) next();
        },
      });
    },
    resume: () => void decoder?.resume(),
    abort: (reason) => source.abort(reason),
  };
}
