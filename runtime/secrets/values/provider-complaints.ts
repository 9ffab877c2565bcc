/** Receives what a provider itself says of a failure: which file, which command, what to do. */
export type ProviderComplaints = (alias: string, message: string) => void;

/**
 * The most different complaints that are reported: a provider with a new message for each call must not fill the log.
 */
const mostTold = 100;

/**
 * Reports each complaint once: waiting callers are told the class of the failure, the host's log what to do about it.
 */
export function createProviderComplaints(warn: (message: string) => void): ProviderComplaints {
  const told = new Set<string>();
  return (alias, message) => {
    const complaint = `The secrets provider "${alias}" fails: ${message}`;
    if (told.has(complaint) || told.size >= mostTold) return;
    told.add(complaint);
    warn(complaint);
  };
}
