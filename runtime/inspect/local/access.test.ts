import { expect, test } from 'vitest';
import { Access } from './access.ts';

function access() {
  let now = 0;
  const made = new Access({ now: () => now });
  made.listensAt(4870);
  const tokenOf = (link: string): string => new URL(link).searchParams.get('token') ?? '';
  return { made, tokenOf, pass: (ms: number) => (now += ms) };
}

const own = { host: '127.0.0.1:4870' };

test('a link works once, and gives the secret of a session, which comes as a header and never as a cookie', () => {
  const { made, tokenOf } = access();
  const token = tokenOf(made.link());
  const session = made.exchange(token);
  expect(session).toMatch(/^[\w-]{43}$/);
  expect(made.exchange(token)).toBeUndefined();
  expect(made.hasSession({ headers: { authorization: `Bearer ${session}` } })).toBe(true);
  expect(made.hasSession({ headers: { authorization: `Bearer ${token}` } })).toBe(false);
  expect(made.hasSession({ headers: { authorization: 'Bearer ' } })).toBe(false);
  expect(made.hasSession({ headers: { cookie: `holdfast-inspector-4870=${session}` } })).toBe(false);
  expect(made.hasSession({ headers: {} })).toBe(false);
});

test('a link to act gives another session than one to look on', () => {
  const { made, tokenOf } = access();
  const [looking, acting] = [made.link(), made.link(true)].map((link) => made.exchange(tokenOf(link)));
  const mayAct = (session = '') => made.mayAct({ headers: { authorization: `Bearer ${session}` } });
  expect([mayAct(looking), mayAct(acting), mayAct()]).toEqual([false, true, false]);
  expect(made.hasSession({ headers: { authorization: `Bearer ${acting}` } })).toBe(true);
});

test('a link is too old after ten minutes, and the oldest of too many is forgotten', () => {
  const { made, tokenOf, pass } = access();
  const late = tokenOf(made.link());
  pass(10 * 60_000 + 1);
  expect(made.exchange(late)).toBeUndefined();
  const first = tokenOf(made.link());
  for (let n = 0; n < 16; n += 1) made.link();
  expect(made.exchange(first)).toBeUndefined();
  expect(made.exchange('')).toBeUndefined();
});

test.each([
  ['its own address', own, true],
  ['localhost', { host: 'localhost:4870', origin: 'http://localhost:4870' }, true],
  [
    'a link that was followed from elsewhere',
    { ...own, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
    true,
  ],
  ['a name that was made to lead here', { host: 'evil.example:4870' }, false],
  ['another port', { host: '127.0.0.1:4871' }, false],
  ['no host', {}, false],
  ['another origin', { ...own, origin: 'https://evil.example' }, false],
  [
    'a frame of another site',
    { ...own, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
    false,
  ],
  [
    'a script of another site',
    { ...own, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
    false,
  ],
  ['a page on another port', { ...own, 'sec-fetch-site': 'same-site' }, false],
])('of requests with %s', (_name, headers, isFromHere) => {
  expect(access().made.isFromHere({ headers })).toBe(isFromHere);
});

test('the relay has a token of its own', () => {
  const { made, tokenOf } = access();
  expect(made.mayRelay(tokenOf(made.relay))).toBe(true);
  expect(made.mayRelay(tokenOf(made.link()))).toBe(false);
  expect(made.mayRelay(null)).toBe(false);
});
