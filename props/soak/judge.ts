import type { Books, Page } from './books.ts';
import type { Journal, Noted } from './journal.ts';
import { MEMBERS } from './roster.ts';

/** What became of all events. */
export interface Account {
  readonly sent: number;
  readonly fromHost: number;
  readonly handled: number;
  readonly letters: number;
  /** Died with the thread of their sender, and counted in a letter. */
  readonly lost: number;
  /** Begun to be sent when the thread was ended: some were sent, some were not. */
  readonly cutInSending: number;
  /** The thread was ended from outside after the agent's last line and before the turn was over. */
  readonly cutAtTheEnd: number;
  /** Handled again by a member that goes on from its state: what is not in the state is handled again. */
  readonly again: number;
  readonly wrong: string[];
}

/** Ends that come from outside, at any instruction. */
const FROM_OUTSIDE = new Set(['hang', 'exit', 'error', 'oom']);
/** Words on each kind of mistake at most. */
const SHOWN = 10;

/** Every event is handled once, or is one dead letter. */
export function accountOf(books: Books, journal: Journal): Account {
  const sums = { handled: 0, letters: 0, lost: 0, cutInSending: 0, cutAtTheEnd: 0, again: 0 };
  const wrong: string[] = [];
  const missing = MEMBERS.map(() => 0);
  const unsure = MEMBERS.map(() => 0);
  for (let n = 0; n < books.total; n++) {
    const page = books.of(n);
    const letters = journal.letters.get(n) ?? [];
    const verdict = verdictOf(page, letters, {
      fromHost: journal.lives[n] !== 0,
      confirmed: journal.confirmed[n] === 1,
    });
    if (page.done > 0) sums.handled += 1;
    sums.letters += letters.length;
    if (page.done > 1) sums.again += 1;
    if (verdict === 'cut at the end') sums.cutAtTheEnd += 1;
    else if (verdict === 'missing') missing[page.to] = (missing[page.to] ?? 0) + 1;
    else if (verdict === 'unsure') unsure[page.to] = (unsure[page.to] ?? 0) + 1;
    else if (verdict !== 'well') wrong.push(`event ${n} for ${nameOf(page.to)}: ${verdict}`);
  }
  MEMBERS.forEach(({ address }, to) => {
    const [lost, least, most] = [
      journal.lost[to] as number,
      missing[to] as number,
      (missing[to] as number) + (unsure[to] as number),
    ];
    sums.lost += lost;
    sums.cutInSending += unsure[to] as number;
    if (lost < least || lost > most) {
      wrong.push(`${address}: ${least} events came to nothing, and the letters speak of ${lost}`);
    }
  });
  const more = wrong.length > SHOWN ? [`and ${wrong.length - SHOWN} more events`] : [];
  return {
    sent: books.total,
    fromHost: journal.fromHost,
    ...sums,
    wrong: [...wrong.slice(0, SHOWN), ...more],
  };
}

function nameOf(member: number): string {
  return MEMBERS[member]?.address ?? `nobody (${member})`;
}

interface Known {
  readonly fromHost: boolean;
  readonly confirmed: boolean;
}

/** `missing`: no trace, which a letter with a number of lost events must explain. */
function verdictOf(page: Page, letters: readonly Noted[], { fromHost, confirmed }: Known): string {
  const { done, state, to } = page;
  const again = MEMBERS[to]?.team.keepsState === true && fromHost;
  const told = letters.map(({ reason, cause }) => (cause === undefined ? reason : `${reason} (${cause})`));
  if (letters.length > 1) return `${letters.length} letters: ${told.join(', ')}`;
  if (confirmed && letters.length > 0) return `confirmed, and a letter: ${told.join()}`;
  // Its state says whether it was handled; handled again is what goes on from a state does.
  if (again && done > 0) return 'well';
  if (done > 1) return `handled ${done} times`;
  if (done + letters.length === 1) return 'well';
  if (done === 1) {
    const [letter] = letters;
    const cut = letter?.reason === 'poison' && FROM_OUTSIDE.has(letter.cause ?? '');
    return cut ? 'cut at the end' : `handled, and a letter: ${told.join()}`;
  }
  if (fromHost) return `not handled, no letter (begun ${page.begun})`;
  return state === 'claimed' ? 'unsure' : 'missing';
}
