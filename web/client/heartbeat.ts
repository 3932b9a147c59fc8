/** How often a server says that it lives, until it has said how often it does. */
export const HEARTBEAT_MS = 15_000
/** After how many of them without a sign a connection is taken for dead. */
export const MISSED_HEARTBEATS = 2.5
