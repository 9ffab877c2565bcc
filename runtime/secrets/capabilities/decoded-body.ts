import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import type { BodySource } from './body-source.ts';

type Decoder = (first: Uint8Array) => Transform;

const SYNC = { flush: zlib.constants.Z_SYNC_FLUSH, chunkSize: 65_536 };
const BROTLI = { flush: zlib.constants.BROTLI_OPERATION_FLUSH, chunkSize: 65_536 };
const gunzip: Decoder = () => zlib.createGunzip(SYNC);
/** Some services send the bare form of deflate; the low half of the first byte of the other form is 8. */
const inflate: Decoder = ([first = 0]) =>
  (first & 15) === 8 ? zlib.createInflate(SYNC) : zlib.createInflateRaw(SYNC);

const DECODERS: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ['gzip', gunzip],
  ['x-gzip', gunzip],
  ['deflate', inflate],
  ['br', () => zlib.createBrotliDecompress(BROTLI)],
  ['zstd', () => zlib.createZstdDecompress({ chunkSize: 65_536 })],
]);

/** The encodings that a service is asked for. */
export const ACCEPTED = [...DECODERS.keys()].filter((name) => name !== 'x-gzip').join(', ');

export function isDecodable(encoding: string): boolean {
  return encoding === 'identity' || DECODERS.has(encoding);
}

/** The body as it was before compression, in which a secret could not be found. A body that is cut short is an error. */
export function decoded(source: BodySource, encoding: string): BodySource {
  const create = DECODERS.get(encoding);
  if (create === undefined) return source;
  let decoder: Transform | undefined;
  return {
    read(sink) {
      let ended = false;
      const end = (error?: unknown): void => {
        if (ended) return;
        ended = true;
        decoder?.destroy();
        sink.end(error);
      };
      const begin = (first: Uint8Array): Transform => {
        const made = create(first);
        made.on('data', (bytes: Buffer) => {
          if (!ended && !sink.data(bytes)) made.pause();
        });
        made.on('end', () => end());
        made.on('error', (error) => {
          end(error);
          source.abort(error);
        });
        made.on('drain', () => source.resume());
        return made;
      };
      source.read({
        data: (bytes) => !ended && (decoder ??= begin(bytes)).write(bytes),
        end(error) {
          if (error !== undefined || decoder === undefined) end(error);
          else decoder.end();
        },
      });
    },
    resume: () => void decoder?.resume(),
    abort: (reason) => source.abort(reason),
  };
}
