import { createElement, StrictMode, type FunctionComponent, type ReactNode } from 'react';
import { flushSync } from 'react-dom';
import { createRoot, hydrateRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { afterAll, beforeAll, expect, expectTypeOf, onTestFinished, test, vi } from 'vitest';
import type counter from '../fixtures/counter.ts';
import { face } from '../gateway/fixtures/face.ts';
import { connect, type Client } from './index.ts';
import { useAgent, type UseAgentOptions } from './react.ts';

interface Agents {
  readonly counter: { readonly logic: typeof counter };
}

const page = await vi.hoisted(async () => (await import('../transparency/fixtures/dom.ts')).openPage());
const patience = { timeout: 60_000 };

let open: Awaited<ReturnType<typeof face>>;
beforeAll(async () => {
  open = await face();
});
afterAll(() => open.close());

/** A client of the gateway in this process, and what it has asked for. */
function client(): { client: Client<Agents>; paths: string[] } {
  const paths: string[] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const { pathname, search } = new URL(new Request(input).url);
    paths.push(pathname + search);
    return open.app.request(pathname + search, init);
  };
  const token = open.headers.authorization.replace('Bearer ', '');
  return { client: connect<Agents>({ url: 'http://gateway', token, fetch }), paths };
}

/** A component that shows an instance, and what it does. */
function view(id: string, options: UseAgentOptions<typeof counter> = {}) {
  const { client: to, paths } = client();
  let send: ((type: 'inc' | 'greet' | 'finish') => Promise<void>) | undefined;
  const View: FunctionComponent = () => {
    const followed = useAgent(to, `counter/${id}`, options);
    expectTypeOf(followed.state?.context.n).toEqualTypeOf<number | undefined>();
    send = (type) => followed.send({ type }, { wait: 'handled' });
    const { code } = (followed.error ?? {}) as { code?: string };
    return createElement('p', null, [followed.status, followed.state?.context.n ?? '?', code].join(' '));
  };
  return { element: createElement(View), paths, send: (type: 'inc' | 'greet' | 'finish') => send?.(type) };
}

function show(element: ReactNode, container = page.document.createElement('div')) {
  const root = createRoot(container);
  root.render(element);
  const unmount = (): void => flushSync(() => root.unmount());
  onTestFinished(unmount);
  return { text: () => container.textContent, unmount };
}

test('a component shows the latest state, sends, and hears what is emitted, once each, in StrictMode too', async () => {
  const heard: number[] = [];
  const gaps: unknown[] = [];
  const { element, paths, send } = view('strict', {
    activate: true,
    everyMs: 0,
    onEmitted: ({ n }) => heard.push(n),
    onGap: (dropped) => gaps.push(dropped),
  });
  const { text, unmount } = show(createElement(StrictMode, null, element));
  await expect.poll(text, patience).toBe('open 0 ');
  await send('greet');
  await send('inc');
  await send('greet');
  await expect.poll(text, patience).toBe('open 1 ');
  await expect.poll(() => heard, patience).toEqual([0, 1]);
  expect(paths.filter((path) => path.includes('/stream'))).toEqual([
    '/v1/agents/counter/strict/stream?activate=true&everyMs=0',
  ]);
  await send('finish');
  await expect.poll(text, patience).toBe('ended 1 ');
  expect(gaps).toEqual([]);
  unmount();
});

test('a component that is unmounted follows nothing any more', async () => {
  const { element, paths } = view('left', { activate: true });
  const { text, unmount } = show(element);
  await expect.poll(text, patience).toBe('open 0 ');
  // Nobody listens to what is emitted, and so the gateway keeps none of it.
  expect(paths[0]).toContain('only=snapshot');
  const listening = (): number => open.streams();
  expect(listening()).toBe(1);
  unmount();
  await expect.poll(listening, patience).toBe(0);
});

test('a component says that an instance cannot be followed', async () => {
  const { text } = show(view('nobody').element);
  await expect.poll(text, patience).toBe('failed ? NOT_FOUND');
});

test('on a server nothing is followed, and the page goes on from what was rendered there', async () => {
  const initialState = { status: 'active', value: 'counting', context: { n: 7, self: undefined } } as const;
  const { element, paths } = view('rendered', { activate: true, initialState });
  expect(renderToString(view('rendered').element)).toBe('<p>connecting ? </p>');
  const html = renderToString(element);
  expect([html, paths]).toEqual(['<p>connecting 7 </p>', []]);
  const container = page.document.createElement('div') as { textContent: string; innerHTML: string };
  container.innerHTML = html;
  const problems: unknown[] = [];
  const root = hydrateRoot(container, element, {
    onRecoverableError: (error) => problems.push(error),
  });
  onTestFinished(() => flushSync(() => root.unmount()));
  await expect.poll(() => container.textContent, patience).toBe('open 0 ');
  expect(problems).toEqual([]);
});
