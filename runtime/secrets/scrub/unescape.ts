import { listsIn } from './byte-lists.ts';
import { markOf, type EscapeKind } from './escapes.ts';
import { hasPacked, packedIn, textsIn } from './packed.ts';
import { plainReading, sameLength, sourceOf, type Cut, type Reading } from './reading.ts';
import { hasList, hasListUnits } from './stretches.ts';
import { unescaped } from './unescaped-text.ts';
import { isWorthReading, mayBeWorth, type Wanted } from './worth-reading.ts';

/** The most escapes around each other: JSON in JSON in a URL. */
const LAYERS = 3;
/**
 * The most characters of all readings, in lengths of the text, so that a text with escapes of all kinds in each other
 * gets no more of the host's time.
 */
const MOST_TIMES = 16;
/** The characters of readings that are allowed in any case. */
const FREE = 10_000;

const kinds: readonly EscapeKind[] = ['percent', 'backslash', 'entity', 'apostrophe', 'quote'];

/** Whether {@link readingsOf} has anything to give. Cheap: most texts have no escapes. */
export function isEscaped(text: string, wanted: Wanted): boolean {
  return (
    isWorthReading(text, 'backslash', wanted) ||
    isWorthReading(text, 'percent', wanted) ||
    isWorthReading(text, 'entity', wanted) ||
    isWorthReading(text, 'apostrophe', wanted) ||
    isWorthReading(text, 'quote', wanted) ||
    hasList(text, wanted.shortest) ||
    (text.includes('+') && (wanted.hasSpace || hasListUnits(text, wanted.shortest)))
  );
}

/**
 * Whether {@link isEscaped} may be true of bytes, which are a character each. Faster.
 */
export function mayBeRead(bytes: Buffer, wanted: Wanted): boolean {
  return (
    mayBeWorth(bytes, 'backslash', wanted) ||
    mayBeWorth(bytes, 'percent', wanted) ||
    mayBeWorth(bytes, 'entity', wanted) ||
    (wanted.hasSpace && bytes.includes(PLUS)) ||
    (wanted.mayHave(APOSTROPHE) && (bytes.includes(APOSTROPHE) || bytes.includes(QUOTE))) ||
    (wanted.mayHave(QUOTE) && bytes.includes(QUOTE)) ||
    hasListUnits(bytes, wanted.shortest)
  );
}

const [PLUS, APOSTROPHE, QUOTE] = [0x2b, 0x27, 0x22];

/** Whether {@link readingsOf} with `inPacked` has anything to give. */
export function isPacked(text: string, wanted: Wanted): boolean {
  return hasPacked(text, wanted) || isEscaped(text, wanted);
}

/**
 * The readings of a text: without the escapes of one kind, and then without those of a kind again, three times at
 * most. One kind at a time, because an escape of another kind may be part of what is escaped. An escape that stands
 * neither for a wanted unit nor for the mark of another escape is no reason to read the text. Lists of bytes are read,
 * too. With `inPacked` also the base64 and hex in a text, and what is escaped in all of these, which takes longer.
 * With `cut` the text may go on: a reading ends where an escape may, and each is given that tells where the text can
 * be cut.
 */
export function* readingsOf(text: string, wanted: Wanted, inPacked = false, cut?: Cut): Generator<Reading> {
  const seen = new Set([text]);
  let left = text.length * (cut === undefined ? 1 : 2) * MOST_TIMES + FREE;
  let layer: Reading[] = [plainReading(text)];
  for (let depth = 0; depth < LAYERS && layer.length > 0; depth += 1) {
    const next: Reading[] = [];
    for (const under of layer) {
      for (const reading of onceUnescaped(under, wanted, cut)) {
        // The same text may be packed in several places.
        const key = inPacked ? `${sourceOf(reading, 0)} ${reading.text}` : reading.text;
        if (seen.has(key)) continue;
        seen.add(key);
        left -= reading.text.length;
        if (left < 0) return;
        yield reading;
        next.push(reading);
      }
      for (const reading of inPacked ? packedIn(under, wanted) : listsIn(under, wanted, cut)) {
        left -= reading.text.length;
        if (left < 0) return;
        yield reading;
        if (inPacked) next.push(...textsIn(reading, wanted));
      }
    }
    layer = next;
  }
}

function* onceUnescaped(under: Reading, wanted: Wanted, cut?: Cut): Generator<Reading> {
  const { text } = under;
  for (const kind of kinds) {
    if (cut === undefined ? !isWorthReading(text, kind, wanted) : !mayDiffer(text, kind)) continue;
    const [reading, isWide] = unescaped(under, kind, false, cut);
    yield reading;
    // In the text around it bytes may stand for characters, each as one unit.
    if (isWide) yield unescaped(under, kind, true, cut)[0];
  }
  if (!text.includes('+')) return;
  const spaced = sameLength(under, text.replaceAll('+', ' '));
  yield text.includes('%') ? unescaped(spaced, 'percent', false, cut)[0] : spaced;
}

/** Whether a text may read otherwise without the escapes of a kind, or when more of it has come. */
function mayDiffer(text: string, kind: EscapeKind): boolean {
  if (kind === 'quote') return text.includes('""') || text.endsWith('"');
  return text.includes(markOf[kind]);
}
