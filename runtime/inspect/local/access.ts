import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../base/clock.ts';

/** A link is to be opened soon: 10 minutes. */
const LINK_MS = 10 * 60_000;
/** Links that have not been opened; the oldest is forgotten. */
const mostLinks = 16;

/**
 * Who may see the page. A link has a token that works once and is exchanged for the secret of a session, so that it is of
 * no use in a history, a log or a screenshot. The page sends the secret itself, as a header: a cookie would go to every
 * other server of this machine. What another site has the browser send is refused by its `Host` (a name that was made to
 * lead here), its `Origin` and what the browser says of the site.
 */
export class Access {
  readonly #clock: Pick<Clock, 'now'>;
  /** Of those who look on, and of those who may act too. */
  readonly #session = secret();
  readonly #acting = secret();
  readonly #relay = secret();
  readonly #links = new Map<string, { readonly until: number; readonly mayAct: boolean }>();
  #port = 0;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** Before anybody comes. */
  listensAt(port: number): void {
    this.#port = port;
  }

  /** Where the page is; without a link it shows nothing. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  /** A link to the page that works once, for 10 minutes; on the page one may act, or look on. */
  link(mayAct = false): string {
    const token = secret();
    this.#links.set(token, { until: this.#clock.now() + LINK_MS, mayAct });
    const [oldest] = this.#links.keys();
    if (this.#links.size > mostLinks && oldest !== undefined) this.#links.delete(oldest);
    return `${this.url}?token=${token}`;
  }

  /** Where programs find the relay; works as long as it is there. */
  get relay(): string {
    return `ws://127.0.0.1:${this.#port}/relay?token=${this.#relay}`;
  }

  /** The secret of the session for the token of a link, which is used up. */
  exchange(token: string): string | undefined {
    const link = this.#links.get(token);
    this.#links.delete(token);
    if (link === undefined || link.until < this.#clock.now()) return undefined;
    return link.mayAct ? this.#acting : this.#session;
  }

  /** It was sent to this server by its own name, and by no other site. */
  isFromHere({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
    const { host, origin } = headers;
    const own = [`127.0.0.1:${this.#port}`, `localhost:${this.#port}`];
    if (host === undefined || !own.includes(host)) return false;
    if (origin !== undefined && origin !== `http://${host}`) return false;
    const site = headers['sec-fetch-site'];
    return site === undefined || site === 'same-origin' || site === 'none' || isVisit(headers);
  }

  hasSession(request: Pick<IncomingMessage, 'headers'>): boolean {
    return isSame(request.headers.authorization ?? '', `Bearer ${this.#session}`) || this.mayAct(request);
  }

  /** It comes from a page on which one may act. */
  mayAct({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
    return isSame(headers.authorization ?? '', `Bearer ${this.#acting}`);
  }

  mayRelay(token: string | null): boolean {
    return token !== null && isSame(token, this.#relay);
  }
}

/** A link that was followed from elsewhere: it shows itself to nobody but who followed it. */
function isVisit(headers: IncomingMessage['headers']): boolean {
  return headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
}

function secret(): string {
  return randomBytes(32).toString('base64url');
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
