import { byId, element, el, say } from './dom.ts';
import { post } from './feed.ts';
import { lineOf, rangeOf } from './lines.ts';
import { skeletonOf } from './skeleton.ts';
import type { Accepts, Issue, Schema } from './told.ts';

/** Lines of the field before it scrolls. */
const mostRows = 10;
/** Types that are offered, and characters of what is shown of one and of its schema. */
const mostTypes = 200;
const longestType = 100;
const mostText = 20_000;

/**
 * The form that sends an event to the chosen instance. It offers what the agent accepts, which is asked for when an
 * instance is chosen, and shows what does not fit. Threads give types, schemas and issues: all of them are shown as text.
 */
export class SendForm {
  readonly #form = element('send', HTMLFormElement);
  readonly #types = element('type', HTMLSelectElement);
  readonly #field = element('event', HTMLTextAreaElement);
  #address: string | undefined;
  /** Whose events are offered. */
  #agent: string | undefined;
  #accepted: (readonly [type: string, schema: Schema])[] = [];

  constructor() {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#send();
    });
    this.#field.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
    this.#field.addEventListener('input', () => this.#fit());
    this.#types.addEventListener('change', () => this.#choose());
  }

  /** For the instance at this address; undefined hides the form. */
  show(address: string | undefined): void {
    this.#form.hidden = address === undefined;
    if (address === undefined || address === this.#address) return;
    this.#address = address;
    this.#say('', []);
    const agent = address.slice(0, address.indexOf('/'));
    if (agent !== this.#agent) void this.#learn(agent, address);
  }

  async #learn(agent: string, address: string): Promise<void> {
    this.#agent = agent;
    this.#offer(undefined);
    const { accepts, problem } = await post('/accepts', { address });
    // Another one was chosen meanwhile.
    if (this.#agent !== agent) return;
    this.#offer(accepts);
    if (problem === undefined) return;
    this.#agent = undefined;
    this.#say(`What it accepts is not known: ${problem}`, []);
  }

  #offer(accepts: Accepts | undefined): void {
    this.#accepted = Object.entries(accepts ?? {}).slice(0, mostTypes);
    const options = this.#accepted.map(([type], n) => el('option', { value: n }, type.slice(0, longestType)));
    this.#types.replaceChildren(el('option', { value: '' }, 'Accepted events'), ...options);
    this.#types.hidden = options.length === 0;
    byId('schema').hidden = true;
    if (accepts !== undefined && options.length === 0) this.#say('It accepts no events.', []);
  }

  /** Puts an event of the chosen type into the field, to be filled in. */
  #choose(): void {
    const chosen = this.#types.value === '' ? undefined : this.#accepted[Number(this.#types.value)];
    byId('schema').hidden = chosen === undefined;
    if (chosen === undefined) return;
    const [type, schema] = chosen;
    const text = JSON.stringify(skeletonOf(type, schema), null, 2);
    this.#fill(text.length > mostText ? JSON.stringify({ type }, null, 2) : text);
    const whole = JSON.stringify(schema, null, 2);
    say(byId('schema-text'), whole.length > mostText ? `${whole.slice(0, mostText)}\n…` : whole);
    this.#say('', []);
    this.#field.focus();
  }

  async #send(): Promise<void> {
    const address = this.#address;
    const text = this.#field.value.trim();
    let event: unknown;
    try {
      event = text.startsWith('{') ? JSON.parse(text) : { type: text };
    } catch (error) {
      this.#say((error as Error).message, []);
      return;
    }
    this.#say('Sending …', []);
    const { problem, issues = [] } = await post('/send', { address, event });
    if (this.#address !== address) return;
    // So that each value has a line of its own; unless it was edited meanwhile.
    const isSame = this.#field.value.trim() === text;
    if (issues.length > 0 && isSame) this.#fill(JSON.stringify(event, null, 2));
    this.#say(problem ?? 'Handled.', issues, isSame ? event : undefined);
  }

  #say(result: string, issues: readonly Issue[], event?: unknown): void {
    say(byId('send-result'), result);
    this.#field.setAttribute('aria-invalid', String(issues.length > 0));
    const list = byId('send-issues');
    list.hidden = issues.length === 0;
    list.replaceChildren(...issues.map((issue) => el('li', {}, this.#issue(issue, event))));
  }

  #issue({ path, expected }: Issue, event: unknown): HTMLElement {
    const where = path.length === 0 ? 'the event' : path.join('.');
    const what = expected === undefined ? where : `${where}: ${expected}`;
    if (event === undefined) return el('span', {}, what);
    const line = lineOf(event, path);
    const button = el('button', { type: 'button' }, `line ${line}, ${what}`);
    button.addEventListener('click', () => {
      this.#field.focus();
      this.#field.setSelectionRange(...rangeOf(this.#field.value, line));
    });
    return button;
  }

  #fill(text: string): void {
    this.#field.value = text;
    this.#fit();
  }

  #fit(): void {
    this.#field.rows = Math.min(mostRows, this.#field.value.split('\n').length);
  }
}
