import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readAll, type BodySink, type BodySource } from './body-source.ts';
import { acceptedEncodings, decoded, encodingsIn } from './decoded-body.ts';

/** A body that a test sends, in the way of a socket: it stops when it is told to, and is given up at most once. */
function bodyOf(parts: readonly Uint8Array[], endless = false) {
  const given: unknown[] = [];
  let sink: BodySink | undefined;
  let at = 0;
  const flow = (): void => {
    while (at < parts.length) if (sink?.data(parts[at++] as Uint8Array) !== true) return;
    if (at === parts.length && !endless) sink?.end();
    at = parts.length + 1;
  };
  const source: BodySource = {
    read(reader) {
      sink = reader;
      flow();
    },
    resume: flow,
    abort: (reason) => void given.push(reason),
  };
  return { source, given };
}

const read = async (encoding: string, parts: readonly Uint8Array[], endless?: boolean) => {
  const { source, given } = bodyOf(parts, endless);
  const text = (await readAll(decoded(source, encoding))).toString();
  return { text, given };
};

/** The bytes in parts of one length. */
function cut(bytes: Buffer, length: number): Buffer[] {
  const count = Math.ceil(bytes.length / length);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * length, (i + 1) * length));
}

/** Node 22 cannot tell where a body in zstd ends. */
const zstd = process.versions.node.startsWith('22.') ? [] : [['zstd', zstdCompressSync] as const];

test.each(['gzip', 'deflate', 'br', ...zstd.map(([name]) => name)])(
  '%s is asked for, and is decoded',
  (encoding) => {
    expect(encodingsIn(encoding)).toEqual([encoding]);
    expect(acceptedEncodings().split(', ')).toContain(encoding);
  },
);

test('what is decoded is what is asked for', () => {
  expect(acceptedEncodings().split(', ')).toHaveLength(3 + zstd.length);
});

describe('a body that was compressed', () => {
  test.each([['gzip', gzipSync] as const, ...zstd])(
    'in %s in several pieces is whole, wherever it is cut',
    async (encoding, compress) => {
      const pieces = ['one ', 'two ', 'three '.repeat(30_000), '', 'four'];
      const bytes = Buffer.concat(pieces.map((piece) => compress(piece)));
      for (const length of [1, 7, 20, bytes.length]) {
        const { text, given } = await read(encoding, cut(bytes, length));
        expect(text).toBe(pieces.join(''));
        expect(given).toEqual([]);
      }
    },
  );

  test.each([
    ['deflate', deflateSync('the body')],
    ['deflate', deflateRawSync('the body')],
    ['br', brotliCompressSync('the body')],
    ['gzip', gzipSync('the body')],
  ])('in %s is over where it ends, and what follows is given up', async (encoding, bytes) => {
    const { text, given } = await read(encoding, [bytes, Buffer.alloc(9)], true);
    expect(text).toBe('the body');
    expect(given).toEqual([expect.any(Error)]);
  });

  test.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
    ...zstd,
  ] as const)('in %s is an error wherever it is cut short', async (encoding, compress) => {
    const bytes = compress('the body, which says nothing twice');
    for (let length = 1; length < bytes.length; length++)
      await expect(read(encoding, [bytes.subarray(0, length)])).rejects.toHaveProperty('code');
  });

  // The decoder of Node 26 goes from one frame to the next by itself.
  test.each(process.versions.node.startsWith('24.') ? zstd : [])(
    'in %s in so many frames that decoding them is an attack is an error',
    async (encoding, compress) => {
      const bytes = Buffer.concat(Array.from({ length: 1100 }, () => compress('')));
      await expect(read(encoding, [bytes])).rejects.toThrow('too many frames');
    },
  );
});
