import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createBrowserInspector, createInspector } from '@statelyai/inspect';
import { describe, expect, test, vi } from 'vitest';
import type { InspectionEvent, Inspector, InspectOptions } from 'holdfast';
import { fixture, start } from '../fixtures/start.ts';
import { JSDOM } from './fixtures/browser-window.ts';
import { CANARY, isWhole, letOut, runInspected } from './fixtures/inspected-run.ts';
import { options as known } from './fixtures/inspector-options.ts';

type Options = NonNullable<Parameters<typeof createInspector>[1]>;

const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 60_000 });

async function run(
  inspector: Inspector | InspectOptions,
  isTold: () => boolean,
  logger?: object,
): Promise<void> {
  const agents = { inspected: fixture('inspected') };
  const options = { inspect: inspector, ...(logger && { logger: logger as never }) };
  await runInspected(await start({ agents }, options), isTold);
}

const isOfAgent = ({ sessionId }: InspectionEvent): boolean => sessionId === 'inspected/a';

function collector() {
  const told: InspectionEvent[] = [];
  const send = (event: unknown): void => void told.push(structuredClone(event) as InspectionEvent);
  return { told, send };
}

/** Every way to have an inspector, and what came out of it when all is over. */
const ways: Readonly<Record<string, (name: string) => Promise<InspectionEvent[]>>> = {
  async createInspector(name) {
    const { told, send } = collector();
    await run(createInspector({ send }, known[name]), () => isWhole(told, letOut[name] ?? []));
    return told;
  },
  async 'createBrowserInspector with a function'(name) {
    const { told, send } = collector();
    const { window } = new JSDOM();
    const inspector = createBrowserInspector({ ...known[name], window, send, autoStart: false });
    await run(inspector, () => isWhole(told, letOut[name] ?? []));
    return told;
  },
  async 'createBrowserInspector with a frame that connects late'(name) {
    const told: InspectionEvent[] = [];
    const { window } = new JSDOM('<iframe></iframe>');
    const at = { window, iframe: window.document.querySelector('iframe'), url: 'about:blank' };
    const inspector = createBrowserInspector({ ...known[name], ...at, maxDeferredEvents: 10_000 });
    const { adapter } = inspector;
    const { deferredEvents } = adapter as unknown as { deferredEvents: readonly InspectionEvent[] };
    await run(inspector, () => isWhole(deferredEvents, letOut[name] ?? []));
    await until(() => expect(adapter.targetWindow).not.toBeNull());
    adapter.targetWindow?.addEventListener(
      'message',
      ({ data }: { data: InspectionEvent }) => void told.push(data),
    );
    window.dispatchEvent(new window.MessageEvent('message', { data: { type: '@statelyai.connected' } }));
    const isOver = (): boolean => JSON.stringify(told.findLast(isOfAgent) ?? '').includes('"stopped"');
    await until(() => expect(isOver()).toBe(true));
    return told;
  },
  'createWebSocketInspector that is started at once': (name) => program(name, 'at once'),
  'createWebSocketInspector that is started late': (name) => program(name, 'late'),
};

async function program(...args: readonly string[]): Promise<InspectionEvent[]> {
  const file = fileURLToPath(new URL('fixtures/stately-held-back.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['-C', 'holdfast-source', file, ...args], {
    timeout: 60_000,
    maxBuffer: 100_000_000,
  });
  return JSON.parse(stdout) as InspectionEvent[];
}

describe.each(Object.entries(ways))('%s', (_way, toldBy) => {
  test('what its sanitizers hold back comes out nowhere, and the rest does', async () => {
    const told = await toldBy('sanitizers');
    const of = (type: InspectionEvent['type']) =>
      told.filter((event) => event.type === type && event.sessionId === 'inspected/a');
    expect(of('@xstate.event')).toContainEqual(
      expect.objectContaining({ event: { type: 'told', value: 'held back' } }),
    );
    const done = { value: 'done', context: expect.objectContaining({ seen: 'held back' }) };
    expect(of('@xstate.snapshot')).toContainEqual(
      expect.objectContaining({ snapshot: expect.objectContaining(done) }),
    );
    expect(of('@xstate.snapshot').at(-1)).toMatchObject({ snapshot: { status: 'stopped' } });
    expect(of('@xstate.actor')).toMatchObject([{ snapshot: { context: { seen: 'held back' } } }]);
    expect(JSON.stringify(told)).not.toContain(CANARY);
  });

  test('its filter and its serialize have the last word', async () => {
    const told = await toldBy('filter and serialize');
    const left = told.findLast(({ sessionId }) => sessionId === 'inspected/a');
    expect(left).toMatchObject({ snapshot: { status: 'stopped' } });
    expect(told.some(({ sessionId }) => sessionId === 'supervisor')).toBe(true);
    const ofPools = told.filter(({ sessionId }) => sessionId.startsWith('supervisor/pool'));
    expect([...ofPools, ...told.filter(({ type }) => type === '@xstate.event')]).toEqual([]);
    expect(JSON.stringify(told)).not.toContain(CANARY);
    expect(JSON.stringify(told)).not.toContain('context"');
  });
});

test('an inspector is told names, parents, definitions and senders as an adapter is', async () => {
  const raw: InspectionEvent[] = [];
  const { told, send } = collector();
  const sentOn = (events: readonly InspectionEvent[]): boolean =>
    events.some(
      (event) => event.sessionId === 'inspected/a/1' && 'sourceId' in event && event.sourceId !== undefined,
    );
  await run(createInspector({ send }), () => sentOn(told));
  await run({ adapter: { send: (event) => void raw.push(event) } }, () => sentOn(raw));
  type Actor = Extract<InspectionEvent, { type: '@xstate.actor' }>;
  const parts = ({ name, parentId, definition = '{}' }: Actor) => {
    const { initial, states = {} } = JSON.parse(definition) as { initial?: unknown; states?: object };
    return { name, parentId, initial, states: Object.keys(states).toSorted() };
  };
  const actorsOf = (events: readonly InspectionEvent[]): Record<string, object> =>
    Object.fromEntries(
      events
        .filter((event) => event.type === '@xstate.actor')
        // The promise begins anew in each round.
        .filter(({ name }) => name !== 'work')
        .map((actor) => [actor.sessionId, parts(actor)]),
    );
  const actors = actorsOf(told);
  expect(actors).toMatchObject({ 'inspected/a': { name: 'inspected/a' }, 'inspected/a/1': { name: 'kid' } });
  expect(actors).toEqual(actorsOf(raw));
  for (const event of told) {
    if (event.type !== '@xstate.actor') continue;
    expect(event.rootId).toBe(event.sessionId === 'supervisor' ? undefined : 'supervisor');
  }
  const senders = told.map((event) => [event.sessionId, 'sourceId' in event ? event.sourceId : undefined]);
  expect(senders).toContainEqual(['inspected/a/1', 'inspected/a']);
});

test('a sanitizer that takes apart a context gets an empty one of an actor without; one that throws shows nothing, costs nothing else, and is told once', async () => {
  const warn = vi.fn<(fields: object, message: string) => void>();
  const logger = { debug() {}, info() {}, warn, error() {} };
  const { told, send } = collector();
  const options: Options = {
    sanitizeContext: ({ seen, ...rest }) => ({ ...rest, count: (seen as unknown[] | undefined)?.length }),
    sanitizeEvent(event) {
      if (event.type === 'told') throw new TypeError('cannot be sanitized');
      return event;
    },
  };
  const inspector = createInspector({ send }, options);
  await run(inspector, () => isWhole(told, ['go']), logger);
  const last = told.findLast(({ sessionId }) => sessionId === 'inspected/a');
  expect(last).toMatchObject({ type: '@xstate.snapshot', snapshot: { status: 'stopped' } });
  expect(JSON.stringify(told)).not.toContain(CANARY);
  expect(told.some((event) => event.type !== '@xstate.actor' && event.event.type === 'go')).toBe(true);
  expect(warn.mock.calls.filter(([, message]) => message.startsWith('an inspector threw'))).toHaveLength(1);
});

test('what cannot be honoured is refused', async () => {
  const agents = { inspected: fixture('inspected') };
  vi.spyOn(console, 'error').mockImplementation(() => {});
  const { adapter, inspect } = createInspector({ send() {} });
  const send = (): void => {};
  const refused: readonly (readonly [unknown, string])[] = [
    [{ adapter, inspect }, 'no method `actor`'],
    [createInspector({ send, ...known['sanitizers'] }), 'nothing applies the `sanitizeContext`'],
    // Without a window there is no inspector, only an adapter that does nothing.
    [createBrowserInspector(), 'give `{ adapter }`'],
  ];
  for (const [one, message] of refused)
    await expect(start({ agents }, { inspect: one as Inspector })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(message),
    });
});
