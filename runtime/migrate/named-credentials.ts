import { judge, type Judged } from '../secrets-audit/credentials.ts';
import { valuesOfJson } from '../secrets-audit/named-values.ts';
import { markerOf } from './markers.ts';

/**
 * Whether a value is a credential by its name, by a password in it, or by the names in it where it is JSON itself, such as the key
 * file of a service account; and nothing that only stands for one.
 */
export function isNamedCredential(one: Judged): boolean {
  if (judge(one)?.isPlaceholder === false && markerOf(one.value) === undefined) return true;
  return /^\s*[{[]/.test(one.value) && valuesOfJson(one.value)?.some(isNamedCredential) === true;
}
