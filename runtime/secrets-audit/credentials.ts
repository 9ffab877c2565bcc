import { plainText } from '../config/received.ts';
import { placeholderReason } from '../secrets/values/placeholders.ts';
import { isContainerName, isDetail, nameClass, type NameClass } from './credential-names.ts';
import { isMarker, isWords, looksRandom } from './markers.ts';
import type { NamedValue } from './named-value.ts';

export { isCredentialName } from './credential-names.ts';

const urlWithPassword = /^[a-z][a-z0-9+.-]{0,31}:\/\/[^\s:/@?#]{0,256}:([^\s@/]{1,512})@/i;
/** Who stands before the host is let in, as with Sentry. */
const urlWithUser = /^[a-z][a-z0-9+.-]{0,31}:\/\/([^\s:/@?#]{16,256})@/i;
const scheme = /^(?:apikey|basic|bearer|bot|key|token)[ ]{1,8}/i;

export type Judgement = { readonly kind: string; readonly isPlaceholder: boolean };

/** What is asked about: `container` is the name of what it stands in, `isLoose` when its place is a line of whatever. */
export type Judged = Pick<NamedValue, 'name' | 'value' | 'isNumber' | 'container' | 'isLoose'>;

/** What a value is by its name, or by a password in it; undefined for what is no credential. */
export function judge(judged: Judged): Judgement | undefined {
  const { name, value } = judged;
  // The end of what is in base64 is no value.
  if (/^[\s=]*$/.test(value)) return undefined;
  const password = urlWithPassword.exec(value)?.[1];
  if (password !== undefined) {
    const found = judgePassword(password);
    return found && { kind: 'a URL with a password', ...found };
  }
  const user = urlWithUser.exec(value)?.[1];
  if (user !== undefined && looksRandom(user)) return { kind: 'a URL with a token', isPlaceholder: false };
  const kind = nameClass(name);
  const isOne = kind === undefined ? isHeld(judged) : holds(kind, judged);
  if (!isOne) return undefined;
  return {
    kind: shownName(name),
    isPlaceholder: isPlaceholder(value.replace(scheme, '')) || sameWord(name, value),
  };
}

/** What a password is that stands in a URL, or a token by its form; undefined for what is filled in when it is used. */
export function judgePassword(value: string): Pick<Judgement, 'isPlaceholder'> | undefined {
  if (isInsert(value)) return undefined;
  return { isPlaceholder: isPlaceholder(value) || isNoPassword(value) };
}

/** A name for a message: one that looks like a credential itself is not shown. */
function shownName(name: string): string {
  return name.length > 64 || looksRandom(name) ? 'what has a name that is not shown' : `"${plainText(name)}"`;
}

function isHeld({ name, value, container }: Judged): boolean {
  if (container === undefined || !isContainerName(container) || isDetail(name)) return false;
  return looksRandom(value) && !isMarker(value);
}

function holds(kind: NameClass, { name, value, isNumber, isLoose }: Judged): boolean {
  if (isMarker(value) || isLabel(name, value)) return false;
  const isDigits = isNumber === true || /^\d+$/.test(value);
  switch (kind) {
    case 'password':
      return isDigits ? isLongNumber(value, /pass$/i.test(name) ? 7 : 4) : true;
    case 'secret':
      // A few digits count something, and a number of tokens is one.
      return isDigits ? isLongNumber(value, 7) && !(isNumber === true && /tokens$/i.test(name)) : true;
    case 'key':
      return isDigits ? isLongNumber(value, 7) : isKey(value) || isPlaceholder(value);
    case 'variable':
      if (isLoose === true) return looksRandom(value);
      return isDigits ? isLongNumber(value, 7) : value.length >= 8 && isKey(value);
    case 'hint':
      return looksRandom(value);
    case 'authorization': {
      const rest = value.replace(scheme, '');
      return !isMarker(rest) && (rest === value ? looksRandom(value) : !isInsert(rest) && !isWords(rest));
    }
    case 'cookie':
      return value.split(/[;=\s]/).some(looksRandom);
    case 'login':
      return (
        looksRandom(value) ||
        /^[^\s:/]{1,64}:(?=[^\s:/]{0,128}[A-Za-z])(?=[^\s:/]{0,128}\d)[^\s:/]{5,}$/.test(value)
      );
    case 'webhook':
      return /^[a-z]{2,16}:\/\/[^/\s]{1,256}\/[^\s]/i.test(value);
    case 'phrase':
      return /^[a-z]{2,16}(?: [a-z]{2,16}){11,32}$/.test(value.trim());
    default:
      return kind satisfies never;
  }
}

/** What somebody made for a program: not words alone. */
function isKey(value: string): boolean {
  return !isWords(value) && (/\d/.test(value) || /[a-z][A-Z]|[A-Z]{2}[a-z]|[a-z]{17}/.test(value));
}

function isLongNumber(value: string, digits: number): boolean {
  return value.replaceAll(/\D/g, '').length >= digits;
}

/** Filled in when it is used: `%s`, `{password}`, `$PASSWORD`. */
function isInsert(value: string): boolean {
  return isMarker(value) || /^(?:%[sdvr]|\$?\{[^{}]{0,128}\})$/.test(value);
}

/** What documentation writes for one: `user:password@`. */
function isNoPassword(value: string): boolean {
  return /^(?:user)?(?:pass|password|passwd|pwd|pw|secret|token)$/i.test(value);
}

/** What a person reads: `password: 'Your password'`. */
function isLabel(name: string, value: string): boolean {
  return (
    /^[A-Z][a-z]{1,32}(?: [A-Za-z']{1,32}){0,16}[.:!?…]?$/.test(value) &&
    (value.includes(' ') || sameWord(name, value))
  );
}

/** `token: 'TOKEN'`, `password: 'Password'` */
function sameWord(a: string, b: string): boolean {
  const plain = (text: string): string => text.replaceAll(/[\W_]+/g, '').toLowerCase();
  return plain(a) === plain(b);
}

function isPlaceholder(value: string): boolean {
  return placeholderReason(Buffer.from(value)) !== undefined;
}
