import { el } from './dom.ts';

/** Fields, and items of a list, that are shown at first, and with each press more. */
const mostAtOnce = 100;
/** Characters of a text that are shown. */
const longestText = 2000;

/** JSON that folds: of what is closed nothing is made until it is opened. All of it is text. */
export function jsonView(value: unknown, openLevels = 2): HTMLElement {
  return el('div', { class: 'json' }, ...node(undefined, value, openLevels));
}

function node(key: string | undefined, value: unknown, open: number): Node[] {
  const name = key === undefined ? [] : [el('span', { class: 'json-key' }, key), ': '];
  if (typeof value !== 'object' || value === null) return [el('div', {}, ...name, primitive(value))];
  const isList = Array.isArray(value);
  const entries = Object.entries(value);
  if (entries.length === 0) return [el('div', {}, ...name, isList ? '[]' : '{}')];
  const count = isList ? `[${entries.length}]` : `{${entries.length}}`;
  const content = el('div', { class: 'json-below' });
  const details = el(
    'details',
    {},
    el('summary', {}, ...name, el('span', { class: 'json-count' }, count)),
    content,
  );
  const fill = (): void => {
    if (details.open && content.firstChild === null) more(content, entries, 0, open - 1);
  };
  details.addEventListener('toggle', fill);
  if (open > 0) {
    details.open = true;
    fill();
  }
  return [details];
}

function more(into: HTMLElement, entries: readonly [string, unknown][], from: number, open: number): void {
  const upTo = from + mostAtOnce;
  into.append(...entries.slice(from, upTo).flatMap(([key, value]) => node(key, value, open)));
  if (upTo >= entries.length) return;
  const button = el('button', { type: 'button', class: 'small' }, `${entries.length - upTo} more`);
  button.addEventListener('click', () => {
    button.remove();
    more(into, entries, upTo, open);
  });
  into.append(button);
}

export function primitive(value: unknown): HTMLElement {
  const text = JSON.stringify(value) ?? 'nothing';
  const kind = value === null ? 'null' : typeof value;
  return el(
    'span',
    { class: `json-${kind}` },
    text.length > longestText ? `${text.slice(0, longestText)}…` : text,
  );
}
