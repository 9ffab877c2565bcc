/** What several mailboxes have together: they count it as it changes, so that nobody has to look at each. */
export interface MailboxSum {
  depth: number;
  capacity: number;
  handled: number;
}
