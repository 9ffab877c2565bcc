import { ActorPanel } from './actor-panel.ts';
import { AddressBar, type Place } from './address-bar.ts';
import { Actors, type Message } from './actors.ts';
import { AgentsList } from './agents-list.ts';
import { ChartLayouts } from './chart-layouts.ts';
import { sizeColumns } from './columns.ts';
import { byId, element, say } from './dom.ts';
import {
  ActorDeeds,
  offer,
  offersAgainst,
  profileOf,
  recycleOf,
  refreshOf,
  replayAllOf,
  replayOf,
  TableDeeds,
  type Offer,
} from './deeds.ts';
import { Feed } from './feed.ts';
import { duration, short } from './figures.ts';
import { orders } from './fleet-list.ts';
import { FleetPanel, type FleetChoice } from './fleet-panel.ts';
import { Held, type Told } from './held.ts';
import { MomentView } from './moment.ts';
import { Palette } from './palette.ts';
import type { Choice } from './palette-choices.ts';
import { Recorder } from './recorder.ts';
import { SearchField } from './search-field.ts';
import { sequenceOf, SequenceView } from './sequence.ts';
import { Tabs } from './tabs.ts';
import { lettersTable, secretsTable, threadsTable } from './tables.ts';
import { Shown } from './shown.ts';
import {
  changedBy,
  type Changes,
  type InspectionEvent,
  type Listing,
  type Machine,
  type Recent,
  type Tick,
} from './told.ts';
import { ThreadHistory } from './thread-history.ts';
import { Timeline } from './timeline.ts';
import { nameOf, Tree, type Choosing } from './tree.ts';
import { wrongNow } from './wrong.ts';
import { WrongList } from './wrong-list.ts';

/** In the order of their tabs. */
const tableNames = ['threads', 'letters', 'secrets'];
/** Milliseconds between two pictures of what changes all the time: more is not to be seen. */
const DRAW_MS = 200;

const actors = new Actors();
const layouts = new ChartLayouts();
const recorder = new Recorder();
const held = new Held();
const history = new ThreadHistory();
const tree = new Tree(byId('tree'), actors, lookAtActor);
const bar = new AddressBar(visit);
const search = new SearchField(
  (filter) => {
    tree.filter = filter;
  },
  (find) => bar.amend({ find }),
);
const timeline: Timeline = new Timeline((entry) => {
  bar.amend({ moment: entry?.id });
  atOnce();
});
const moment = new MomentView(
  () => timeline.live(),
  (by) => timeline.step(by),
);
const deeds = new ActorDeeds();
const tableDeeds = new TableDeeds(byId('tables'));
const panel = new ActorPanel(layouts);
const agents = new AgentsList((agent) => lookAtFleet({ agent, order: 'worst', isReversed: false }));
const fleet = new FleetPanel({
  layouts,
  definitionOf: (agent) => actors.definitionOf(agent),
  open: openActor,
  choose: lookAtFleet,
  changed,
});
const wrong = new WrongList(openActor);
const shown = new Shown();
const sequence = new SequenceView(byId('sequence'), actors, nameOf);
let connection: 'live' | 'lost' | 'refused' = 'lost';
let tick: Tick | undefined;
let handled = 0;
let handledAt = 0;
/** A picture is due; nobody asks for one where nothing has changed. */
let stale = false;
let drawnAt = 0;
let newest: Message | undefined;
let looked: FleetChoice | undefined;
/** The actor of the address, until it is there. */
let awaited: string | undefined;
/** What the runtime remembered of before has come. */
let isWhole = false;

const feed = new Feed({
  told(kind, data, size) {
    if (held.isHeld) {
      held.take({ kind, data, size });
      sayFeed();
    } else tell({ kind, data, size });
  },
  state(state, why = '') {
    connection = state;
    sayFeed();
    byId('notice').hidden = why === '';
    say(byId('notice'), why);
  },
});

function tell({ kind, data, size }: Told): void {
  const now = Date.now();
  const events = data as InspectionEvent[];
  if (kind === 'events') {
    actors.apply(events, now);
    recorder.take(events, size, now);
  } else if (kind === 'states') {
    actors.learn(events, now);
    recorder.learn(events);
  } else if (kind === 'recent') {
    // Once: whoever was connected before has it.
    if (!isWhole) {
      recorder.begin(data as Recent, size, now);
      actors.recall((data as Recent).flatMap((events) => events ?? []));
    }
    isWhole = true;
  } else if (kind === 'status') learn(data as Changes);
  else if (kind === 'machine') actors.learnMachine(data as Machine);
  else list(kind, data as Listing, now);
  changed();
}

function list(kind: string, { page, listed, isLast }: Listing, now: number): void {
  if (kind === 'replay') {
    actors.replace(listed);
    recorder.interrupted(now);
    shown.begin(page);
    tick = undefined;
  } else actors.list(listed, { haveBegun: kind === 'begun' });
  if (isLast) recorder.resume((id) => actors.byId.get(id)?.endedAt === undefined && actors.byId.has(id), now);
}

/** What is shown is of that time. */
function present(): number {
  return held.moment(tick?.recordedAt ?? Date.now());
}

function sayFeed(): void {
  const { recordedAt } = tick ?? {};
  if (recordedAt !== undefined && connection === 'live') {
    document.body.dataset['feed'] = 'held';
    say(byId('feed'), `a record of ${new Date(recordedAt).toLocaleString()}`);
    return;
  }
  const { events, left } = held.counts;
  const isHeld = held.isHeld && connection === 'live';
  document.body.dataset['feed'] = isHeld ? 'held' : connection;
  const texts = { live: 'live', lost: 'no connection', refused: 'no access' };
  const more = left > 0 ? `, ${short(left)} too many to keep` : '';
  say(byId('feed'), isHeld ? `held, ${short(events)} since${more}` : texts[connection]);
}

function changed(): void {
  if (stale) return;
  stale = true;
  const leftMs = drawnAt + DRAW_MS - performance.now();
  if (leftMs <= 0) requestAnimationFrame(draw);
  else setTimeout(() => requestAnimationFrame(draw), leftMs);
}

/** Who chooses an actor, or a moment, means it with what comes next. */
function atOnce(): void {
  stale = true;
  requestAnimationFrame(draw);
}

function openActor(id: string): void {
  search.text = '';
  tree.show(id);
  byId('tree').focus();
}

function lookAtActor(actor: string, how: Choosing): void {
  awaited = undefined;
  if (how !== 'given') timeline.seek(undefined);
  view(undefined);
  const { find, tab, actor: before } = bar.place;
  if (how === 'chosen' || (how === 'moved' && before === undefined)) bar.go({ actor, find, tab });
  else if (how === 'moved') bar.amend({ actor, moment: '' });
}

function lookAtFleet(choice: FleetChoice): void {
  awaited = undefined;
  view(choice);
  const { agent, state, order, isReversed } = choice;
  const { find, tab } = bar.place;
  const said = order === 'worst' ? undefined : `${isReversed ? '-' : ''}${order}`;
  bar.go({ agent, state, order: said, find, tab });
}

/** What the address says: at first, and when the reader goes back or forward. */
function visit({
  actor,
  moment: name,
  agent,
  state,
  order = 'worst',
  find = '',
  tab = 'threads',
}: Place): void {
  search.text = find;
  const table = tableNames.indexOf(tab);
  if (table !== -1 && tab !== shownTable()) tables.choose(table);
  awaited = agent === undefined ? actor : undefined;
  if (awaited !== undefined) tree.leave();
  timeline.seek(awaited === undefined ? undefined : name);
  const named = orders.find((known) => known === order.replace(/^-/, '')) ?? 'worst';
  view(agent === undefined ? undefined : { agent, state, order: named, isReversed: order.startsWith('-') });
}

/** Shows the fleet of an agent, or the chosen actor. */
function view(choice: FleetChoice | undefined): void {
  looked = choice;
  document.body.dataset['view'] = choice === undefined ? 'actor' : 'fleet';
  byId('fleet').hidden = choice === undefined;
  fleet.choose(choice);
  atOnce();
}

function learn(changes: Changes): void {
  const told = changedBy(tick, changes);
  const { counts } = told.status;
  const now = performance.now();
  const seconds = (now - handledAt) / 1000;
  // What a page is told because it shows other actors comes between two seconds.
  if (changes.counts !== undefined) {
    const rate = short(Math.max(0, counts.handled - handled) / seconds);
    say(byId('rate'), tick === undefined ? '–' : rate);
    [handled, handledAt] = [counts.handled, now];
  }
  tick = told;
  sayFeed();
  const { status } = told;
  tree.learn(status);
  if (changes.pools !== undefined || changes.counts !== undefined) history.learn(status, Date.now());
  actors.hold(status.instances, Date.now());
  const threads = status.pools.reduce((sum, { threads }) => sum + threads.length, 0);
  say(byId('state'), status.state);
  say(byId('version'), status.version);
  say(byId('uptime'), duration(status.uptimeMs));
  say(byId('threads-count'), String(threads));
  say(byId('instances-count'), short(counts.total));
  say(byId('restarts'), short(status.restarts));
  say(byId('letters-count'), short(status.deadLetters));
  byId('unlisted').hidden = told.unlisted === 0;
  say(
    byId('unlisted'),
    `${short(told.unlisted)} actors came when there was no more room: the tree lacks them, the fleets above count them`,
  );
  say(byId('left-out'), short((status.inspection?.sampled ?? 0) + told.leftOut));
}

/** One picture of all that has changed, at most a few times a second. */
function draw(now: number): void {
  if (!stale) return;
  stale = false;
  drawnAt = now;
  const time = present();
  // Of a record all stay.
  if (tick?.recordedAt === undefined) actors.sweep(time);
  if (awaited !== undefined && actors.byId.has(awaited)) tree.show(awaited, 'given');
  if (tree.selected === undefined && looked === undefined && awaited === undefined) {
    const first = [...actors.byId.values()].find(({ kind }) => kind === 'instance');
    if (first !== undefined) tree.select(first.id, 'given');
  }
  search.draw(now, held.isHeld);
  tree.draw();
  agents.draw(tick?.fleets ?? [], looked?.agent);
  const id = tree.selected ?? '';
  shown.say([id, ...tree.drawn], now);
  const actor = actors.byId.get(id);
  const problem = actor && tree.problemOf(actor);
  const figures = {
    pool: tree.poolOf(id),
    thread: tree.threadOf(id),
    instance: tree.instanceOf(id),
    problem,
  };
  if (looked === undefined) {
    const isKnown = id !== '' && actor?.isTold !== false;
    const record = isKnown ? recorder.look(id, actor?.snapshot) : undefined;
    timeline.draw(record, isWhole);
    const chosen = timeline.chosen;
    moment.draw(chosen);
    panel.draw(actor, figures, {
      mayAct: tick?.mayAct === true,
      moment: chosen && { at: chosen.at, snapshot: record?.stateAt(chosen.n) },
      missing: awaited,
    });
    const place = /^supervisor\/pool:(.*)\/thread:\d+$/.exec(id)?.[1];
    deeds.draw(actor, { ...figures, pool: place }, tick?.mayAct === true);
    drawSequence(id);
  } else {
    moment.draw(undefined);
    fleet.draw(now, held.isHeld);
  }
  if (tick !== undefined) {
    const { status, mayAct } = tick;
    wrong.draw(wrongNow(status), {
      isThere: (id) => actors.byId.has(id),
      offers: (one) => (mayAct ? offersAgainst(one, status) : []),
      now: time,
      left: status.counts.wrongLeft,
    });
  }
  drawTables();
}

function drawSequence(id: string): void {
  const last = actors.messages.at(-1);
  const scope = element('scope', HTMLSelectElement).value;
  const shown = `${scope} ${id}`;
  const view = byId('sequence');
  if (last === newest && view.dataset['shown'] === shown) return;
  newest = last;
  view.dataset['shown'] = shown;
  const isWithin = (end: string | undefined): boolean =>
    end !== undefined && actors.lineage(end).some((actor) => actor.id === id);
  /** What an agent's children tell it, and it them, is its own business. */
  const agent = (end: string | undefined): string | undefined => {
    const instance =
      end === undefined ? undefined : actors.lineage(end).find(({ kind }) => kind === 'instance');
    // Of a child that has ended only its path is left.
    const address = end?.split('/', 2).join('/') ?? '';
    return instance?.id ?? (actors.byId.get(address)?.kind === 'instance' ? address : end);
  };
  const views: Record<string, (message: Message) => Message | undefined> = {
    chosen: (message) => (isWithin(message.to) || isWithin(message.from) ? message : undefined),
    agents({ from, to, at, type }) {
      const [sender, receiver] = [agent(from), agent(to) ?? to];
      const isInner = sender === receiver && type.startsWith('xstate.');
      return isInner || to.startsWith('supervisor') ? undefined : { at, type, from: sender, to: receiver };
    },
    all: (message) => message,
  };
  sequence.draw(sequenceOf(actors.messages, sequence.mostLanes, views[scope] ?? ((message) => message)));
}

function shownTable(): string {
  return document.querySelector<HTMLElement>('.tables [aria-selected=true]')?.dataset['tab'] ?? '';
}

function drawTables(): void {
  if (tick === undefined) return;
  const { status, deadLetters, mayAct } = tick;
  const tab = shownTable();
  const button = (offered: Parameters<TableDeeds['button']>[0]): HTMLElement => tableDeeds.button(offered);
  if (tab === 'threads')
    tableDeeds.draw(byId('panel-threads'), () =>
      threadsTable(
        status,
        history,
        present(),
        mayAct
          ? (pool, thread) => [button(profileOf(pool, thread)), ' ', button(recycleOf(pool, thread))]
          : undefined,
      ),
    );
  if (tab === 'secrets')
    tableDeeds.draw(byId('panel-secrets'), () =>
      secretsTable(status, mayAct ? (secret) => button(refreshOf(secret)) : undefined),
    );
  byId('replay-all').hidden = tab !== 'letters' || !mayAct || deadLetters.length < 2;
  if (tab === 'letters')
    tableDeeds.draw(byId('panel-letters'), () =>
      lettersTable(deadLetters, mayAct ? (letter) => button(replayOf(letter)) : undefined),
    );
}

/** Holds the moment: what happens meanwhile waits, and nothing of it is lost. */
function pause(): void {
  if (held.isHeld) goOn();
  else {
    held.hold(Date.now());
    sayFeed();
  }
  byId('pause').setAttribute('aria-pressed', String(held.isHeld));
  say(byId('pause'), held.isHeld ? 'Resume' : 'Pause');
}

function goOn(): void {
  const { left } = held.counts;
  for (const told of held.release()) tell(told);
  sayFeed();
  // What did not wait is not to be had any more; the states are.
  if (left > 0) feed.start();
}

function theme(): void {
  const isDark = matchMedia('(prefers-color-scheme: dark)').matches;
  const now = document.documentElement.dataset['theme'] ?? (isDark ? 'dark' : 'light');
  document.documentElement.dataset['theme'] = now === 'dark' ? 'light' : 'dark';
}

const tables: Tabs = new Tabs('.tables', () => {
  const shown = shownTable();
  bar.amend({ tab: shown === tableNames[0] ? '' : shown });
  atOnce();
});
const parts = new Tabs('#actor', atOnce);

const palette = new Palette(choices);

const keys: Readonly<Record<string, () => void>> = {
  '/': () => search.focus(),
  p: pause,
  d: theme,
  t: () => byId('tree').focus(),
  w: () => wrong.focus(),
  1: () => tables.choose(0),
  2: () => tables.choose(1),
  3: () => tables.choose(2),
  j: () => timeline.step(1),
  k: () => timeline.step(-1),
  l: () => timeline.live(),
  f() {
    parts.choose(0);
    timeline.search();
  },
  '?': () => element('shortcuts', HTMLDialogElement).showModal(),
};

/** What the palette offers: the views, the agents, what can be done to what is looked at, and all actors. */
function* choices(): Generator<Choice, void> {
  const { fleets = [], mayAct = false, deadLetters = [] } = tick ?? {};
  const view = (text: string, key: string): Choice => ({ kind: 'view', text, key, run: () => keys[key]?.() });
  yield view('Threads', '1');
  yield view('Dead letters', '2');
  yield view('Secrets', '3');
  if (!byId('wrong').hidden) yield view('What is wrong now', 'w');
  yield view('Find actors', '/');
  yield view('Search events of the actor', 'f');
  yield view(held.isHeld ? 'Resume the stream' : 'Pause', 'p');
  yield view('Light or dark', 'd');
  yield view('Keyboard', '?');
  for (const { agent } of fleets)
    yield {
      kind: 'agent',
      text: agent,
      run: () => lookAtFleet({ agent, order: 'worst', isReversed: false }),
    };
  if (mayAct) {
    const all = deadLetters.length > 1 ? [replayAllOf(deadLetters.length)] : [];
    const offered = (one: Offer): Choice => ({
      kind: 'deed',
      text: one.title.replace(/\?$/, ''),
      run: () => void offer(one, looked === undefined ? 'deed-said' : 'said'),
    });
    yield* (looked === undefined ? [...deeds.offers, ...all] : all).map(offered);
  }
  for (const { id } of actors.byId.values()) yield { kind: 'actor', text: id, run: () => openActor(id) };
}

document.addEventListener('keydown', (event) => {
  if (event.key.toLowerCase() === 'k' && (event.ctrlKey || event.metaKey) && !event.altKey) {
    event.preventDefault();
    palette.open();
    return;
  }
  const isTyping = (event.target as Element).matches('input, select, textarea');
  if (event.key === 'Escape' && isTyping) (event.target as HTMLElement).blur();
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const press = keys[event.key];
  if (press === undefined) return;
  event.preventDefault();
  press();
});
byId('scope').addEventListener('change', changed);
byId('replay-all').addEventListener(
  'click',
  () => void offer(replayAllOf(tick?.deadLetters.length ?? 0), 'said'),
);
byId('pause').addEventListener('click', pause);
byId('go').addEventListener('click', () => palette.open());
byId('theme').addEventListener('click', theme);
byId('help').addEventListener('click', () => element('shortcuts', HTMLDialogElement).showModal());
byId('close').addEventListener('click', () => element('shortcuts', HTMLDialogElement).close());
setInterval(changed, 1000);
sizeColumns();
visit(bar.place);
feed.start();
changed();
