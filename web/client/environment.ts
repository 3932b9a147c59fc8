/**
 * What the stream needs of its surroundings. A browser page has all of it;
 * tests and workers bring their own.
 */
export interface Environment {
  fetch: typeof fetch
  /** Milliseconds of the wall clock, as the server's `pause` counts them. */
  now(): number
  /** Runs once after a delay in milliseconds; the result takes it back. */
  after(delayMs: number, run: () => void): () => void
  /** Uniform in [0, 1). */
  random(): number
  online(): boolean
  /** Calls when the network or the page may have come back; the result stops it. */
  onWake(wake: () => void): () => void
  /** Calls when the browser lost its network; the result stops it. */
  onOffline(lost: () => void): () => void
}

function listen(target: EventTarget, types: string[], run: () => void): () => void {
  for (const type of types) target.addEventListener(type, run)
  return () => {
    for (const type of types) target.removeEventListener(type, run)
  }
}

/** The environment of a page. */
export function browserEnvironment(): Environment {
  return {
    fetch: globalThis.fetch.bind(globalThis),
    now: () => Date.now(),
    after: (delayMs, run) => {
      const timer = setTimeout(run, delayMs)
      return () => clearTimeout(timer)
    },
    random: () => Math.random(),
    online: () => navigator.onLine,
    onWake: (wake) => {
      const visible = () => {
        if (document.visibilityState === 'visible') wake()
      }
      const stops = [
        listen(window, ['online', 'pageshow'], wake),
        listen(document, ['visibilitychange'], visible),
      ]
      return () => stops.forEach((stop) => stop())
    },
    onOffline: (lost) => listen(window, ['offline'], lost),
  }
}
