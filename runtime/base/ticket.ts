/** Stands for something that will have been written; settles once, or never. */
export class Ticket {
  #settled = false;
  #waiting: (() => void)[] = [];

  get settled(): boolean {
    return this.#settled;
  }

  /** Calls `run` when it settles; at once when it has. */
  whenSettled(run: () => void): void {
    if (this.#settled) run();
    else this.#waiting.push(run);
  }

  /** Resolves when it settles. */
  wait(): Promise<void> {
    return new Promise((resolve) => this.whenSettled(resolve));
  }

  settle(): void {
    if (this.#settled) return;
    this.#settled = true;
    for (const run of this.#waiting.splice(0)) run();
  }
}
