import type { Actor } from './actors.ts';
import { Chart } from './chart.ts';
import type { ChartLayouts } from './chart-layouts.ts';
import { valueText } from './chart-graph.ts';
import { byId, el, say } from './dom.ts';
import { megabytes, percent, short } from './figures.ts';
import { SendForm } from './send-form.ts';
import type { Instance, Pool, Snapshot, Thread } from './told.ts';
import { nameOf } from './tree.ts';

/** Characters of a context that are shown. */
const mostText = 20_000;

/** What the status says of an actor. */
export interface Figures {
  readonly pool?: Pool | undefined;
  readonly thread?: Thread | undefined;
  readonly instance?: Instance | undefined;
  /** The error of one that failed. */
  readonly problem?: string | undefined;
}

/** A moment of the past. */
export interface Moment {
  readonly at: number;
  /** The state of the actor then, if it is known. */
  readonly snapshot: Snapshot | undefined;
}

/** The chosen actor: where it is, its figures, its chart, its context, and a form to send it an event. */
export class ActorPanel {
  readonly #chart: Chart;
  readonly #form = new SendForm();
  #shown: { readonly id: string; readonly definition: string | undefined } | undefined;
  #context: unknown;

  constructor(layouts: ChartLayouts) {
    this.#chart = new Chart(byId('chart'), layouts);
  }

  /** As it is now, or as it was at a `moment`; `missing` is the one that is to be shown and is not there. */
  draw(
    actor: Actor | undefined,
    figures: Figures,
    {
      mayAct,
      moment,
      missing,
    }: {
      readonly mayAct: boolean;
      readonly moment: Moment | undefined;
      readonly missing: string | undefined;
    },
  ): void {
    byId('actor').classList.toggle('none', actor === undefined);
    if (actor === undefined) {
      this.#shown = undefined;
      say(byId('actor-name'), missing ?? 'Choose an actor');
      say(byId('actor-state'), '');
      byId('figures').replaceChildren();
      this.#sayProblem(undefined);
      this.#chart.show(undefined, '', missing === undefined ? nobody : notThere);
      this.#sayContext(undefined);
      return;
    }
    const { id, definition, snapshot, kind } = actor;
    if (this.#shown?.id !== id || this.#shown.definition !== definition) {
      this.#shown = { id, definition };
      this.#chart.show(definition, unnamed(actor), noChart(actor));
    }
    say(byId('actor-name'), id);
    const { instance, problem } = figures;
    const isActive = (snapshot.status ?? 'active') === 'active' && actor.endedAt === undefined;
    const ending = instance?.state ?? (problem === undefined ? undefined : 'failed') ?? snapshot.status ?? '';
    say(byId('actor-state'), isActive ? valueText(snapshot.value) : ending);
    byId('actor-state').classList.toggle('over', !isActive);
    if (moment === undefined) this.#chart.mark(snapshot.value, actor.changed, Date.now());
    else this.#drawPast(moment);
    const states = valueText((moment === undefined ? snapshot : moment.snapshot)?.value);
    byId('chart').setAttribute('aria-label', `State chart of ${id}${states === '' ? '' : `, in ${states}`}`);
    this.#sayProblem(problem !== undefined && isActive ? `It runs again after ${problem}` : problem);
    this.#sayFigures(actor, figures);
    this.#sayContext(moment === undefined ? snapshot : moment.snapshot);
    this.#form.show(mayAct && kind === 'instance' && isActive ? id : undefined);
  }

  #drawPast({ at, snapshot }: Moment): void {
    this.#chart.mark(snapshot?.value, undefined, at);
    const { status = 'active', value } = snapshot ?? {};
    say(
      byId('actor-state'),
      snapshot === undefined ? 'not known' : status === 'active' ? valueText(value) : status,
    );
    byId('actor-state').classList.toggle('over', status === 'error');
  }

  #sayProblem(problem: string | undefined): void {
    byId('problem').hidden = problem === undefined;
    say(byId('problem'), problem ?? '');
  }

  #sayFigures({ events }: Actor, { pool, thread, instance }: Figures): void {
    const pairs: (readonly [string, string])[] = [['Events seen', short(events)]];
    if (instance !== undefined) {
      const { threadId, mailbox, capacity, handled, restarts, incarnation, state } = instance;
      pairs.push(
        ['Pool', threadId],
        ['State', state],
        ['Mailbox', `${short(mailbox)} of ${short(capacity)}`],
        ['Handled', short(handled)],
        ['Restarts', `${restarts} (incarnation ${incarnation})`],
      );
    }
    if (pool !== undefined) {
      const { threads, maxThreads, peakThreads, waiting, health } = pool;
      pairs.push(
        ['Threads', `${threads.length} of ${maxThreads}, at most ${peakThreads} so far`],
        ['Waiting', String(waiting)],
        ['Health', health],
      );
    }
    if (thread !== undefined) {
      const { state, instances, utilization, heapUsed } = thread;
      pairs.push(['State', state], ['Instances', String(instances)]);
      if (utilization !== undefined) pairs.push(['Event loop', `${percent(utilization)} busy`]);
      if (heapUsed !== undefined) pairs.push(['Heap', megabytes(heapUsed)]);
    }
    const list = byId('figures');
    const text = pairs.map(([name, value]) => `${name}\n${value}`).join('\n');
    if (list.dataset['shown'] === text) return;
    list.dataset['shown'] = text;
    list.replaceChildren(
      ...pairs.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))),
    );
  }

  #sayContext(snapshot: Actor['snapshot'] | undefined): void {
    const { context, output, error } = snapshot ?? {};
    if (this.#context === snapshot && snapshot !== undefined) return;
    this.#context = snapshot;
    const shown = { ...(context !== undefined && { context }), ...(output !== undefined && { output }) };
    const all = error === undefined ? shown : { ...shown, error };
    const text =
      Object.keys(all).length === 0
        ? ''
        : JSON.stringify('context' in all && Object.keys(all).length === 1 ? context : all, null, 2);
    say(byId('context'), text.length > mostText ? `${text.slice(0, mostText)}\n…` : text);
    byId('no-context').hidden = text !== '';
    byId('context-cut').hidden = text.length <= mostText && !isCut.test(text);
  }
}

/** What stands for the rest of a value, of a text and of a list that were too large to be told. */
const isCut = /…(?: \d+ more)?"/;

const nobody = 'Its state chart, context and events are shown here.';
const notThere = 'It is not there now; it is shown when it comes.';

/** What a machine without an id is called: an instance's by its agent. */
function unnamed(actor: Actor): string {
  return actor.kind === 'instance' ? (actor.id.split('/')[0] ?? actor.id) : nameOf(actor);
}

function noChart({ kind, snapshot, definition, endedAt }: Actor): string {
  if (kind === 'instance' && endedAt !== undefined && definition === undefined)
    return 'It ended before this page was opened; its chart is shown when it runs again.';
  const what = kind === 'instance' || kind === 'child' ? 'It is not a state machine' : 'It has no chart';
  return snapshot.context === undefined && snapshot.output === undefined
    ? `${what}.`
    : `${what}; its state is below.`;
}
