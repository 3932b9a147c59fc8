/** One page of a list, and where the next begins. */
interface PageOf {
  items: unknown[]
  next_before: string | null
}

/** How many are loaded first, and the most that the server gives at once. */
const FIRST = 50
const MOST = 200

/** Loads the newest page, and older ones until there are as many as wanted; as one page. */
export async function loadPages<P extends PageOf>(
  ask: (query: { limit: number; before?: string }) => Promise<P>,
  wanted: number,
): Promise<P> {
  const all = await ask({ limit: Math.min(Math.max(wanted, FIRST), MOST) })
  while (all.next_before && all.items.length < wanted) {
    const older = await ask({ limit: MOST, before: all.next_before })
    // Cursor and count stay those of the first: what came after it is told by the stream.
    all.items.push(...older.items)
    all.next_before = older.next_before
  }
  return all
}
