/** A value that must turn up nowhere. */
export interface Canary {
  /** What to call it; the value itself is never shown. */
  readonly name: string;
  readonly value: string;
}

export interface Recorded {
  /** What it was: `event`, `snapshot`, `log` … */
  readonly kind: string;
  readonly text: string;
}

export interface CanaryHit {
  readonly kind: string;
  readonly canary: string;
  readonly encoding: string;
}

/** How a value would look if it got out: as it is, escaped, in base64, in hex, as numbers. */
export function encodingsOf(value: string): Map<string, string[]> {
  const bytes = Buffer.from(value);
  const hex = bytes.toString('hex');
  const base64 = [0, 1, 2].map((shift) => base64Inside(bytes, shift));
  return new Map([
    ['text', [...new Set([value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value)])]],
    ['base64', base64],
    ['base64url', base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'))],
    ['hex', [hex, hex.toUpperCase()]],
    ['bytes', [bytes.join(',')]],
  ]);
}

/** The base64 characters that `bytes` alone decide when `shift` other bytes stand before them. */
function base64Inside(bytes: Buffer, shift: number): string {
  const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
  return text.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6));
}

/** Every place where a canary turned up, at most one hit for a record, canary and encoding. */
export function findCanaries(records: Iterable<Recorded>, canaries: readonly Canary[]): CanaryHit[] {
  const needles = canaries.flatMap(({ name, value }) =>
    [...encodingsOf(value)].map(([encoding, forms]) => ({ canary: name, encoding, forms })),
  );
  const hits: CanaryHit[] = [];
  for (const { kind, text } of records)
    for (const { canary, encoding, forms } of needles)
      if (forms.some((form) => text.includes(form))) hits.push({ kind, canary, encoding });
  return hits;
}

/**
 * Plants the control in one record for each encoding and looks whether the search finds every one of them.
 * A search that finds nothing proves nothing unless it finds what is there.
 */
export function searchFinds(control: string): boolean {
  const planted = [...encodingsOf(control)].flatMap(([encoding, forms]) =>
    forms.map((form) => ({ kind: encoding, text: `{"planted":"${form}"}` })),
  );
  return planted.every((record) =>
    findCanaries([record], [{ name: 'control', value: control }]).some((hit) => hit.encoding === record.kind),
  );
}
