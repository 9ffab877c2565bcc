/** What takes the reports of a thread; a promise: when the thread may tell more. */
interface TakesReports {
  readonly receive: (items: readonly unknown[]) => Promise<void> | undefined | void;
}

/**
 * The reports after which the thread hears that they were taken: a quarter of what it may have told before its turns wait,
 * so that it seldom has to, and few messages say so.
 */
const EVERY = 8;

/** Takes the reports of a thread, and says from time to time how many were taken. */
export function heeding(reports: TakesReports, heard: (count: number) => void) {
  let count = 0;
  const taken = (): void => {
    count += 1;
    if (count < EVERY) return;
    heard(count);
    count = 0;
  };
  return {
    receive(items: readonly unknown[]): void {
      let later: Promise<void> | undefined | void;
      try {
        later = reports.receive(items);
      } finally {
        if (later === undefined) taken();
      }
      void later?.then(taken);
    },
  };
}
