const LEAST_MS = 1_000
const MOST_MS = 30_000

/**
 * Waits between attempts: full jitter, so that ten thousand clients of a node
 * that died do not come back in step. The n-th wait is uniform between 1 s and
 * 2 to the n seconds, at most 30 s.
 */
export class Backoff {
  private attempts = 0
  private readonly random: () => number

  constructor(random: () => number) {
    this.random = random
  }

  /** The next wait, in milliseconds. */
  next(): number {
    this.attempts = Math.min(this.attempts + 1, 10)
    const ceiling = Math.min(MOST_MS, LEAST_MS * 2 ** this.attempts)
    return LEAST_MS + this.random() * (ceiling - LEAST_MS)
  }

  reset(): void {
    this.attempts = 0
  }
}
