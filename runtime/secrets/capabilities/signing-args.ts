/** The arguments of a capability, read key by key; they come from a thread and may be anything. */
export class SigningArgs {
  readonly #capability: string;
  readonly #given: Readonly<Record<string, unknown>>;
  readonly #problems: string[] = [];

  constructor(capability: string, given: unknown, keys: readonly string[]) {
    this.#capability = capability;
    const isObject = typeof given === 'object' && given !== null && !Array.isArray(given);
    this.#given = isObject ? (given as Record<string, unknown>) : {};
    if (!isObject) this.problem('args is not an object');
    for (const key of Object.keys(this.#given)) {
      if (!keys.includes(key)) this.problem(`${key.slice(0, 40)} is unknown; known are ${keys.join(', ')}`);
    }
  }

  problem(what: string): void {
    this.#problems.push(what);
  }

  /** The value of the key, whatever it is. */
  get(key: string): unknown {
    return Object.hasOwn(this.#given, key) ? this.#given[key] : undefined;
  }

  oneOf<const T extends string>(key: string, allowed: readonly T[], fallback?: T): T {
    const value = this.get(key) ?? fallback;
    const found = allowed.find((one) => one === value);
    if (found === undefined) this.problem(`${key} is not one of ${allowed.join(', ')}`);
    return found ?? (allowed[0] as T);
  }

  /** A text of at most 1024 characters, if there is one. */
  text(key: string): string | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    if (typeof value === 'string' && value !== '' && value.length <= 1024) return value;
    this.problem(`${key} is not a text of 1 to 1024 characters`);
    return undefined;
  }

  /** @throws {TypeError} naming all problems, if there are any */
  check(): void {
    if (this.#problems.length > 0) throw new TypeError(`${this.#capability}: ${this.#problems.join('; ')}`);
  }
}
