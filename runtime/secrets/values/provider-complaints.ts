/** What a provider itself says of a failure: which file, which command, what to do. */
export type ProviderComplaints = (alias: string, message: string) => void;

/** Different ones that are told; a provider that makes up a message for each call must not fill the log. */
const mostTold = 100;

/** Tells each complaint once: those who wait are told the class of the failure, the host's log what to do about it. */
export function createProviderComplaints(warn: (message: string) => void): ProviderComplaints {
  const told = new Set<string>();
  return (alias, message) => {
    const complaint = `The secrets provider "${alias}" fails: ${message}`;
    if (told.has(complaint) || told.size >= mostTold) return;
    told.add(complaint);
    warn(complaint);
  };
}
