/** Takes the bytes of a body as they come. */
export interface BodySink {
  /**
   * Takes bytes. Others may use the memory behind them as well, but not the bytes: where there is nothing else in that
   * memory, it may be moved. Returns `false` when it can take no more for now; then nothing
   * comes until the source is resumed.
   */
  data(bytes: Uint8Array): boolean;
  /** The body is over: whole, or cut off by the error. Nothing follows. */
  end(error?: unknown): void;
}

/** A body that has not been read. */
export interface BodySource {
  /** Gives the bytes to a sink, from now on. Called once. */
  read(sink: BodySink): void;
  /** The sink can take more. */
  resume(): void;
  /** Gives up the rest, and the connection with it; the sink ends with the reason. */
  abort(reason: unknown): void;
}

export interface Meter {
  /** The most bytes of the body. */
  readonly most: number;
  /** Makes the error of a body that is larger. */
  readonly tooLarge: (most: number) => unknown;
  /** Makes the error that the sink gets from the one that ended the body. */
  readonly toError: (error: unknown) => unknown;
  /** Called once, when the body is over, with the bytes that the sink has got. */
  readonly over: (bytes: number, error?: unknown) => void;
}

/** The same body, counted and bounded. */
export function metered(source: BodySource, { most, tooLarge, toError, over }: Meter): BodySource {
  let bytes = 0;
  let ended = false;
  return {
    read(sink) {
      const end = (error?: unknown): void => {
        if (ended) return;
        ended = true;
        over(bytes, error);
        sink.end(error);
      };
      source.read({
        data(chunk) {
          if (ended) return false;
          if (bytes + chunk.byteLength > most) {
            const error = tooLarge(most);
            end(error);
            source.abort(error);
            return false;
          }
          bytes += chunk.byteLength;
          return sink.data(chunk);
        },
        end: (error) => end(error === undefined ? undefined : toError(error)),
      });
    },
    resume: () => source.resume(),
    abort: (reason) => source.abort(reason),
  };
}

/** Resolves with the whole body. */
export function readAll(source: BodySource): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  return new Promise((resolve, reject) => {
    source.read({
      data: (bytes) => chunks.push(bytes) > 0,
      end(error) {
        if (error === undefined) resolve(Buffer.concat(chunks));
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- the reason of a signal may be anything
        else reject(error);
      },
    });
  });
}
