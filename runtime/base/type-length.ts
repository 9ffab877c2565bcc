/** Characters of an event's type that outlive the event, in a dead letter or the log; a longer one is data. */
export const TYPE_LENGTH = 256;
