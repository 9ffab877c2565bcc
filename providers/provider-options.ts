/** What an option was to be, when a value is not that. */
export type OptionCheck = (value: unknown) => string | undefined;

export const text: OptionCheck = (value) =>
  typeof value === 'string' && value !== '' ? undefined : 'a non-empty string';

export const flag: OptionCheck = (value) => (typeof value === 'boolean' ? undefined : 'true or false');

export const positiveInteger: OptionCheck = (value) =>
  Number.isSafeInteger(value) && (value as number) > 0 ? undefined : 'an integer above 0';

/** Milliseconds that a timer of Node can wait. */
export const milliseconds: OptionCheck = (value) =>
  positiveInteger(value) === undefined && (value as number) < 2 ** 31
    ? undefined
    : 'an integer above 0 and below 2^31';

export const url: OptionCheck = (value) =>
  typeof value === 'string' && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
    ? undefined
    : 'an http or https URL';

export const listOf =
  (what: string): OptionCheck =>
  (value) =>
    Array.isArray(value) && value.every((each) => typeof each === 'string' && each !== '')
      ? undefined
      : `an array of ${what}`;

export const oneOf =
  (...values: readonly string[]): OptionCheck =>
  (value) =>
    values.includes(value as string) ? undefined : values.map((each) => `"${each}"`).join(' or ');

/** What is wrong with the options, one sentence each, without any value; empty when nothing is. */
export function optionProblems(options: unknown, checks: Readonly<Record<string, OptionCheck>>): string[] {
  if (options === undefined) return [];
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    return ['expected an object'];
  const names = Object.keys(checks);
  return Object.entries(options).flatMap(([key, value]) => {
    if (!Object.hasOwn(checks, key)) {
      return [
        `"${key}" is not an option; ${names.length === 1 ? 'there is' : 'there are'}: ${names.join(', ')}`,
      ];
    }
    const expected = checks[key]?.(value);
    return expected === undefined ? [] : [`"${key}" must be ${expected}, not ${kindOf(value)}`];
  });
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
