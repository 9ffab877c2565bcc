import { differences, pathText, type Difference } from './differences.ts';
import { byId, el, say } from './dom.ts';
import { timeOfDay, took } from './figures.ts';
import { jsonView } from './json-view.ts';
import type { Entry } from './record.ts';
import { eventText, stateText } from './timeline-rows.ts';

/** Changes of a context that are shown; a list that has moved by one has changed everywhere. */
const mostChanges = 50;

/** The chosen moment: what came, from whom, where it led, and what it changed. */
export class MomentView {
  readonly #section = byId('moment');
  #shown: Entry | undefined;
  #isWhole = false;

  /** `close` is asked for, `step` so many lines back. */
  constructor(close: () => void, step: (by: number) => void) {
    byId('moment-close').addEventListener('click', close);
    byId('moment-newer').addEventListener('click', () => step(-1));
    byId('moment-older').addEventListener('click', () => step(1));
  }

  draw(entry: Entry | undefined): void {
    const isWhole = entry?.after !== undefined;
    if (entry === this.#shown && isWhole === this.#isWhole) return;
    [this.#shown, this.#isWhole] = [entry, isWhole];
    this.#section.hidden = entry === undefined;
    document.querySelector('main')?.classList.toggle('has-moment', entry !== undefined);
    if (entry === undefined) return byId('moment-body').replaceChildren();
    say(byId('moment-name'), eventText(entry));
    say(byId('moment-time'), timeOfDay(entry.at));
    byId('moment-body').replaceChildren(
      ...facts(entry),
      ...carried(entry),
      ...threw(entry),
      ...changes(entry),
    );
    byId('moment-body').scrollTop = 0;
  }
}

function facts({ kind, actor, from, to, before, after, waitedMs, tookMs, traceId }: Entry): Node[] {
  const pairs: [string, Node | string][] = [
    [kind === 'sent' || kind === 'log' ? 'By' : 'Actor', el('code', {}, actor)],
    ...(kind === 'event' ? [['From', from === undefined ? 'outside' : el('code', {}, from)] as const] : []),
    ...(to === undefined ? [] : [['To', el('code', {}, to)] as const]),
  ] as [string, Node | string][];
  if (kind !== 'sent' && kind !== 'log') {
    const [was, is] = [stateText(before), stateText(after)];
    const led = after === undefined ? 'its turn is not over' : is === '' ? 'has none' : el('b', {}, is);
    pairs.push(['State', was === '' || was === is ? led : el('span', {}, was, ' → ', led)]);
  }
  if (waitedMs !== undefined) pairs.push(['Waited', took(waitedMs)]);
  if (tookMs !== undefined) pairs.push(['Took', took(tookMs)]);
  if (traceId !== undefined) pairs.push(['Trace', el('code', {}, traceId)]);
  return [
    el(
      'dl',
      { class: 'facts' },
      ...pairs.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))),
    ),
  ];
}

function carried({ event, kind, line }: Entry): Node[] {
  if (kind === 'missed')
    return [el('p', {}, 'Too much happened at once to be shown; what follows is the state after it.')];
  if (line !== undefined)
    return [
      el('h3', {}, 'Log'),
      el('p', {}, line.message),
      ...(Object.keys(line.fields).length === 0 ? [] : [jsonView(line.fields)]),
    ];
  if (event === undefined) return [];
  return [el('h3', {}, 'Event'), jsonView(event)];
}

function threw({ after }: Entry): Node[] {
  if (after?.status !== 'error') return [];
  return [el('h3', {}, 'Threw'), el('div', { class: 'threw' }, jsonView(after.error))];
}

function changes({ before, after, kind }: Entry): Node[] {
  if (after === undefined || kind === 'sent') return [];
  const found = before === undefined ? [] : differences(before.context, after.context);
  const heading = el('h3', {}, 'Context');
  if (before === undefined) return after.context === undefined ? [] : [heading, jsonView(after.context, 1)];
  if (found.length === 0) return [heading, el('p', { class: 'dim' }, 'It changed nothing.')];
  const more = found.length - mostChanges;
  heading.append(', what changed');
  return [
    heading,
    ...found.slice(0, mostChanges).map(change),
    ...(more > 0 ? [el('p', { class: 'dim' }, `${more} more changes`)] : []),
  ];
}

function change({ path, ...values }: Difference): HTMLElement {
  const line = (sign: string, value: unknown): HTMLElement =>
    el('div', { class: sign === '+' ? 'added' : 'removed' }, el('span', {}, sign), jsonView(value, 0));
  return el(
    'div',
    { class: 'change' },
    el('code', {}, path.length === 0 ? 'all of it' : pathText(path)),
    ...('before' in values && values.before !== undefined ? [line('−', values.before)] : []),
    ...('after' in values && values.after !== undefined ? [line('+', values.after)] : []),
  );
}
