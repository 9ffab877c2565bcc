// oxlint-disable-next-line no-control-regex -- those are what it is about
const CONTROLS = /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * The text with what steers a terminal, begins a new line or turns the direction of writing as it is written in JSON:
 * whatever somebody puts into a text, it stays one line and shows what it has.
 */
export function shownText(text: string): string {
  return text.replaceAll(CONTROLS, escaped);
}

/** The same of a text that has lines and tabs. */
export function shownLines(text: string): string {
  return text.replaceAll(CONTROLS, (control) =>
    control === '\n' || control === '\t' ? control : escaped(control),
  );
}

const short: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escaped(control: string): string {
  return short[control] ?? `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
