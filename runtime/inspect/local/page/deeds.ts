import type { Actor } from './actors.ts';
import { confirm, type Question } from './confirm.ts';
import { byId, el, say } from './dom.ts';
import { post } from './feed.ts';
import type { DeadLetter, Instance, Status, Thread } from './told.ts';
import type { Wrong } from './wrong.ts';

/** Where what came of a deed is said. */
type Said = 'said' | 'deed-said';

/** Something that can be done to what the page shows. */
export interface Offer extends Question {
  readonly label: string;
  readonly isDangerous?: boolean;
  readonly body: object;
  /** Default: `/deed`. */
  readonly path?: '/replay';
  /** What is said when it is done. */
  readonly done: (result: Readonly<Record<string, unknown>>) => string;
}

const some = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

export function stopOf({ address, mailbox, state }: Instance): Offer {
  const rest =
    state === 'quarantined'
      ? mailbox > 0
        ? `${some(mailbox, 'event')} in its mailbox become dead letters.`
        : 'Its mailbox is empty.'
      : `It first handles what it was sent: ${some(mailbox, 'event')} now.`;
  return {
    label: 'Stop…',
    isDangerous: true,
    title: `Stop ${address}?`,
    what: `${rest} Then it ends for good, and its address is free again.`,
    yes: 'Stop it',
    no: 'Keep it',
    command: `holdfast agents stop ${address}`,
    body: { deed: 'stop', address },
    done: () => 'Stopped.',
  };
}

export function resumeOf({ address, mailbox }: Instance): Offer {
  return {
    label: 'Resume…',
    title: `Resume ${address}?`,
    what: `It runs again, with its last state, and gets what waits in its mailbox: ${some(mailbox, 'event')}. The event that it failed with is not among them.`,
    yes: 'Resume it',
    command: `holdfast agents resume ${address}`,
    body: { deed: 'resume', address },
    done: () => 'Resumed.',
  };
}

export function recycleOf(threadId: string, { n, name, instances }: Thread): Offer {
  return {
    label: 'Recycle…',
    title: `Recycle ${name}?`,
    what: `Another thread starts, and ${some(instances, 'instance')} move to it with state and mailbox. One that cannot move within 10 s is restarted.`,
    yes: 'Recycle it',
    no: 'Keep it',
    body: { deed: 'recycle', threadId, n },
    done: ({ threads, moved, restarted }) =>
      threads === 0
        ? 'It was kept, since no other thread starts.'
        : `Replaced; ${some(Number(moved), 'instance')} moved, ${String((restarted as readonly string[]).length)} restarted.`,
  };
}

export function profileOf(threadId: string, { n, name }: Thread): Offer {
  return {
    label: 'Profile…',
    title: `Take a CPU profile of ${name}?`,
    what: 'It is looked at for 5 s, and is a little slower meanwhile. The file opens in the performance panel of Chrome, and in editors.',
    yes: 'Take it',
    body: { deed: 'profile', threadId, n },
    done({ profile }) {
      download(profile, `${name.replaceAll(/[^\w-]+/g, '-')}.cpuprofile`);
      return 'The profile was downloaded.';
    },
  };
}

export function replayOf({ id, address, event }: DeadLetter): Offer {
  const { type } = Object(event) as { type?: unknown };
  return {
    label: 'Replay…',
    title: `Replay the event to ${address}?`,
    what: `${typeof type === 'string' ? `\`${type}\`` : 'It'} is sent to ${address} again, and stays here when it fails again.`,
    yes: 'Replay it',
    command: `holdfast dead-letters replay ${id}`,
    path: '/replay',
    body: { id },
    done: () => 'Replayed.',
  };
}

export function replayAllOf(count: number): Offer {
  return {
    label: 'Replay all…',
    title: `Replay ${some(count, 'dead letter')}?`,
    what: 'Each is sent again, one after the other, the oldest first. One that fails again stays in the list.',
    yes: 'Replay them',
    body: { deed: 'replay-all' },
    done: ({ replayed, failed, why }) =>
      `${String(replayed)} replayed${failed === 0 ? '.' : `, ${String(failed)} failed; the first: ${String(why)}`}`,
  };
}

export function refreshOf({ provider, id }: { readonly provider: string; readonly id: string }): Offer {
  return {
    label: 'Refresh…',
    title: `Refresh ${id}?`,
    what: `It is asked for at ${provider} now. Who uses it gets another version as soon as there is one.`,
    yes: 'Refresh it',
    command: `holdfast secrets reload ${id}`,
    body: { deed: 'refresh', provider, id },
    done: () => 'It is current.',
  };
}

/** What may help against something that is wrong now. */
export function offersAgainst({ kind, id, name }: Wrong, { instances, pools, secrets }: Status): Offer[] {
  switch (kind) {
    case 'quarantined':
      return instances
        .filter(({ address }) => address === id)
        .flatMap((instance) => [resumeOf(instance), stopOf(instance)]);
    case 'hung':
      return pools.flatMap(({ threadId, threads }) =>
        threads
          .filter(({ n }) => `supervisor/pool:${threadId}/thread:${n}` === id)
          .map((thread) => recycleOf(threadId, thread)),
      );
    case 'refused':
    case 'stale':
      // Of one in several stages there are several, which are asked for together.
      return secrets
        .filter((secret) => `${secret.provider}: ${secret.id}` === name)
        .slice(0, 1)
        .map(refreshOf);
    case 'store':
    case 'stuck':
    case 'exhausted':
    case 'breaker':
    case 'restarting':
    case 'restarted':
    case 'full':
    case 'waiting':
    case 'tools':
    default:
      return [];
  }
}

/** Asks, does it, and says what came of it. */
export async function offer(offered: Offer, said: Said): Promise<void> {
  if (!(await confirm(offered))) return;
  say(byId(said), `${offered.yes}: under way …`);
  const { problem, ...result } = await post(offered.path ?? '/deed', offered.body);
  say(byId(said), problem ?? offered.done(result));
}

/** A button for what can be done at the moment in which it is pressed, with the numbers of that moment. */
function deedButton(offered: Offer, current: () => Offer | undefined, said: Said): HTMLElement {
  const button = el('button', { type: 'button', class: 'small' }, offered.label);
  if (offered.isDangerous === true) button.classList.add('danger');
  button.setAttribute('aria-label', offered.title.replace(/\?$/, ''));
  button.addEventListener('click', () => {
    const now = current();
    if (now !== undefined) void offer(now, said);
  });
  return button;
}

/** The buttons in tables and lists, which are drawn again each second: those that are the same stay. */
export class TableDeeds {
  #kept = new Map<string, { readonly button: HTMLElement; offered: Offer }>();
  #isPressed = false;

  constructor(tables: HTMLElement) {
    tables.addEventListener('pointerdown', () => (this.#isPressed = true));
    for (const over of ['pointerup', 'pointercancel'])
      document.addEventListener(over, () => (this.#isPressed = false));
  }

  /** Whether a finger is on them: what is under it stays until it is lifted. */
  get isPressed(): boolean {
    return this.#isPressed;
  }

  button(offered: Offer): HTMLElement {
    const key = JSON.stringify(offered.body);
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      kept.offered = offered;
      return kept.button;
    }
    const current = (): Offer | undefined => this.#kept.get(key)?.offered;
    const button = deedButton(offered, current, 'said');
    this.#kept.set(key, { button, offered });
    return button;
  }

  /** Draws a table into its panel: not under a finger, and the button that has the focus keeps it. */
  draw(panel: HTMLElement, table: () => HTMLElement): void {
    if (this.#isPressed) return;
    const focused = document.activeElement;
    panel.replaceChildren(table());
    if (focused instanceof HTMLElement && focused !== document.activeElement && panel.contains(focused))
      focused.focus({ preventScroll: true });
    this.sweep();
  }

  /** Forgets the buttons that are shown no more. */
  sweep(): void {
    for (const [key, { button }] of this.#kept) if (!button.isConnected) this.#kept.delete(key);
  }
}

/** The deeds of the chosen actor, in its head. */
export class ActorDeeds {
  readonly #place = byId('deeds');
  /** What the buttons are for: those that are the same stay, with their focus. */
  #shown = '';
  #now: (() => readonly Offer[]) | undefined;
  #id: string | undefined;

  /** What can be done now. */
  get offers(): readonly Offer[] {
    return this.#now?.() ?? [];
  }

  draw(
    actor: Actor | undefined,
    {
      instance,
      thread,
      pool,
    }: { instance?: Instance | undefined; thread?: Thread | undefined; pool?: string | undefined },
    mayAct: boolean,
  ): void {
    if (actor?.id !== this.#id) say(byId('deed-said'), '');
    this.#id = actor?.id;
    const offers = (): readonly Offer[] => {
      if (!mayAct) return [];
      if (instance !== undefined)
        return instance.state === 'quarantined' ? [resumeOf(instance), stopOf(instance)] : [stopOf(instance)];
      return thread !== undefined && pool !== undefined
        ? [profileOf(pool, thread), recycleOf(pool, thread)]
        : [];
    };
    // The numbers in the question are those of the moment in which it is asked.
    this.#now = offers;
    const shown = offers()
      .map(({ title }) => title)
      .join('\n');
    if (shown === this.#shown) return;
    this.#shown = shown;
    const buttons = offers().map((offered, n) => deedButton(offered, () => this.#now?.()[n], 'deed-said'));
    this.#place.replaceChildren(...buttons);
  }
}

function download(content: unknown, name: string): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify(content)], { type: 'application/json' }));
  const link = el('a', { href: url, download: name });
  link.click();
  // The browser has taken it by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
