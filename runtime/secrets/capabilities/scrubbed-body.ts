import { areAlone } from '../../base/own-bytes.ts';
import type { ScrubStream } from '../scrub/scrub-stream.ts';
import type { BodySource } from './body-source.ts';

/** Bytes whose memory is given back at once: less is left to the collector, which finds it soon enough. */
const MUCH = 16_384;

/** The same body without the values that the scrubber knows. What may be a part of one is given out by its end alone. */
export function scrubbedBody(source: BodySource, scrub: ScrubStream<Uint8Array>): BodySource {
  return {
    read(sink) {
      source.read({
        data(bytes) {
          const shown = scrub.push(bytes);
          if (shown.buffer !== bytes.buffer) giveBack(bytes);
          return shown.byteLength === 0 || sink.data(shown);
        },
        end(error) {
          // A body that was cut off may end with a part of a value, which is kept back.
          const rest = error === undefined ? scrub.end() : undefined;
          if (rest !== undefined && rest.byteLength > 0) sink.data(rest);
          sink.end(error);
        },
      });
    },
    resume: () => source.resume(),
    abort: (reason) => source.abort(reason),
  };
}

/** Frees the memory of bytes that nobody needs when the one who gave them is done with them. */
function giveBack(bytes: Uint8Array): void {
  if (bytes.byteLength >= MUCH && areAlone(bytes))
    setImmediate(() => void (bytes.buffer as ArrayBuffer).transfer(0));
}
