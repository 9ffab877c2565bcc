/** Machines that are known by their number: more than a runtime has agents, mostly. */
const mostMachines = 1000;

/** Gives each definition of a machine a number: thousands of instances have the same one, which is told once. */
export class Machines {
  readonly #numbers = new Map<string, number>();
  #last = 0;

  numberOf(definition: string): number {
    const known = this.#numbers.get(definition);
    if (known !== undefined) return known;
    for (const oldest of this.#numbers.keys()) {
      if (this.#numbers.size < mostMachines) break;
      this.#numbers.delete(oldest);
    }
    this.#last += 1;
    this.#numbers.set(definition, this.#last);
    return this.#last;
  }
}
