/**
 * The bytes of requests' bodies that one thread may have under way, in its host and on their way there: sixteen of the
 * largest that are sent as a whole.
 */
export const ROOM = 134_217_728;

/** The largest body that is sent without asking for room: what fits into two parts of a socket is not worth the way. */
export const UNASKED = 65_536;

/**
 * The bytes up to which a body is sent as a whole, and so can be sent again when the service has refused the secret:
 * room for a prompt with images.
 */
export const LARGEST_WHOLE = 8 * 1024 * 1024;

/** The largest part of a body that is sent in parts. */
export const LARGEST_PART = 262_144;

/** The parts of one body that may be on their way: more than a thread sends, which is two and the end. */
export const MOST_PARTS = 4;

/** The room for a body that is sent in parts, whatever it has in all. */
export const IN_PARTS = LARGEST_PART * MOST_PARTS;
