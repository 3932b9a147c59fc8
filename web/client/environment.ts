import { loadTabs } from './parts'
import type * as Tabs from './tabs'

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

/** A place that keeps texts for all tabs of an origin: `localStorage`. */
export interface SharedStorage {
  get(key: string): string | null
  set(key: string, value: string): void
  remove(key: string): void
  /** Calls when another tab changed a value; the result stops it. */
  onChange(key: string, changed: () => void): () => void
}

/** One end of a way between tabs, or to a worker. */
export interface Port {
  post(message: unknown): void
  close(): void
}

/** What tabs need to share one stream. What a browser lacks, or forbids, is null. */
export interface TabEnvironment extends Environment {
  /** Whether the page can be seen. */
  visible(): boolean
  /** Calls when somebody looks at the page, or away from it; the result stops it. */
  onLook(look: () => void): () => void
  /** Calls when the page is put away or about to stand still; `onWake` calls when it is back. */
  onAway(away: () => void): () => void
  /** Connects to the shared worker of that script and name. */
  openWorker:
    | ((
        script: string | URL,
        name: string,
        heard: (message: unknown) => void,
        failed: () => void,
      ) => Port)
    | null
  /** Joins the channel of that name. */
  openChannel: ((name: string, heard: (message: unknown) => void) => Port) | null
  locks: Pick<LockManager, 'request'> | null
  storage: SharedStorage | null
  /**
   * Fetches what a tab needs that may hold the stream itself: where there is no shared worker, or
   * it fails. Called again, after a wait, when it throws.
   */
  loadTabs(): Promise<typeof Tabs>
}

function listen(target: EventTarget, types: string[], run: () => void): () => void {
  for (const type of types) target.addEventListener(type, run)
  return () => {
    for (const type of types) target.removeEventListener(type, run)
  }
}

/** The environment of anything that runs in a browser, workers too. */
export function plainEnvironment(): Pick<Environment, 'fetch' | 'now' | 'after' | 'random'> {
  return {
    fetch: globalThis.fetch.bind(globalThis),
    now: () => Date.now(),
    after: (delayMs, run) => {
      const timer = setTimeout(run, delayMs)
      return () => clearTimeout(timer)
    },
    random: () => Math.random(),
  }
}

/** Pages that came over plain http have no locks, though the type says that all do. */
export const browserLocks = () => (navigator.locks as LockManager | undefined) ?? null

/** The environment of a page. */
export function browserEnvironment(): TabEnvironment {
  return {
    ...plainEnvironment(),
    online: () => navigator.onLine,
    onWake: (wake) => {
      const visible = () => {
        if (document.visibilityState === 'visible') wake()
      }
      const stops = [
        listen(window, ['online', 'pageshow'], wake),
        listen(document, ['visibilitychange'], visible),
        listen(document, ['resume'], wake),
      ]
      return () => stops.forEach((stop) => stop())
    },
    onOffline: (lost) => listen(window, ['offline'], lost),
    visible: () => document.visibilityState === 'visible',
    onLook: (look) => {
      const stops = [listen(document, ['visibilitychange'], look), listen(window, ['focus'], look)]
      return () => stops.forEach((stop) => stop())
    },
    onAway: (away) => {
      const stops = [listen(window, ['pagehide'], away), listen(document, ['freeze'], away)]
      return () => stops.forEach((stop) => stop())
    },
    openWorker: 'SharedWorker' in globalThis ? openWorker : null,
    openChannel: 'BroadcastChannel' in globalThis ? openChannel : null,
    locks: browserLocks(),
    storage: browserStorage(),
    loadTabs,
  }
}

const openWorker: NonNullable<TabEnvironment['openWorker']> = (script, name, heard, failed) => {
  const worker = new SharedWorker(script, { type: 'module', name })
  worker.onerror = failed
  worker.port.onmessage = ({ data }) => heard(data)
  return { post: (message) => worker.port.postMessage(message), close: () => worker.port.close() }
}

const openChannel: NonNullable<TabEnvironment['openChannel']> = (name, heard) => {
  const channel = new BroadcastChannel(name)
  channel.onmessage = ({ data }) => heard(data)
  return { post: (message) => channel.postMessage(message), close: () => channel.close() }
}

function browserStorage(): SharedStorage | null {
  let storage: Storage
  try {
    storage = window.localStorage
  } catch {
    return null // forbidden by the user
  }
  return {
    get: (key) => storage.getItem(key),
    set: (key, value) => storage.setItem(key, value),
    remove: (key) => storage.removeItem(key),
    onChange: (key, changed) => {
      const hear = (event: StorageEvent) => {
        // The whole storage was cleared where there is no key.
        if (event.key === null || event.key === key) changed()
      }
      window.addEventListener('storage', hear)
      return () => window.removeEventListener('storage', hear)
    },
  }
}
