import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ServerEvents, type ServerEvent } from './server-events.ts';

function eventsIn(...pieces: string[]): ServerEvent[] {
  const events = new ServerEvents();
  return pieces.flatMap((piece) => events.take(piece));
}

test.each([
  ['a plain event', 'data: a\n\n', [{ event: 'message', data: 'a', id: '' }]],
  ['a kind and an id', 'id: r.1\nevent: emitted\ndata: a\n\n', [{ event: 'emitted', data: 'a', id: 'r.1' }]],
  ['several lines', 'data: a\ndata:\ndata:  b\n\n', [{ event: 'message', data: 'a\n\n b', id: '' }]],
  ['a sign of life', ': alive\n\ndata: a\n\n', [{ event: 'message', data: 'a', id: '' }]],
  [
    'an id alone',
    'retry: 1\nid: r.0\n\ndata: a\n\n',
    [
      { event: '', data: '', id: 'r.0' },
      { event: 'message', data: 'a', id: 'r.0' },
    ],
  ],
  [
    'other ends of lines',
    'data: a\r\ndata: b\rdata: c\r\n\r\n',
    [{ event: 'message', data: 'a\nb\nc', id: '' }],
  ],
  ['an event that is not complete', 'id: 1\nevent: emitted\ndata: a\n', []],
  ['an id that is none', 'id: a\0b\ndata: a\n\n', [{ event: 'message', data: 'a', id: '' }]],
  ['fields that nobody knows', 'data\nmore: x\n\n', [{ event: 'message', data: '', id: '' }]],
])('%s', (_what, text, expected) => {
  expect(eventsIn(text)).toEqual(expected);
});

test('events are the same, however their text is cut', () => {
  const line = fc.constantFrom('data: a', 'data', 'id: r.1', 'event: emitted', ': x', '', 'data: ü', 'x: y');
  const end = fc.constantFrom('\n', '\r', '\r\n');
  const text = fc.array(
    fc.tuple(line, end).map((parts) => parts.join('')),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(text, fc.array(fc.nat(100)), (lines, cuts) => {
      const whole = lines.join('');
      const places = [0, ...cuts.map((cut) => cut % (whole.length + 1)), whole.length].toSorted(
        (a, b) => a - b,
      );
      const pieces = places.slice(1).map((to, n) => whole.slice(places[n], to));
      expect(eventsIn(...pieces)).toEqual(eventsIn(whole));
    }),
  );
});

test('an event without an end fills no memory', () => {
  const [events, piece] = [new ServerEvents(), 'x'.repeat(1024 * 1024)];
  const fill = (): void => {
    for (let n = 0; n < 65; n += 1) events.take(n === 0 ? `data: ${piece}` : piece);
  };
  expect(fill).toThrow(expect.objectContaining({ code: 'FETCH_FAILED' }));
});
