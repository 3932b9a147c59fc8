import { REMEMBERED } from './announcements'
import type { Environment } from './environment'
import type { Positioned } from './stream'
import type { Notice } from './types'

/** How long a tab may take to say that it has announced a notice. */
const PATIENCE_MS = 2_000

interface Pending {
  event: Positioned<Notice>
  tab: string | null
  /** The tabs that did not do it. */
  tried: Set<string>
  cancel: () => void
}

interface Tabs {
  /** The tab to announce at, but for those that were tried. */
  choose: (tried: ReadonlySet<string>) => string | null
  tell: (tab: string, event: Positioned<Notice>) => void
  /** A tab kept silent. */
  silent: (tab: string) => void
}

/** Sees to it that each notice is announced by one tab: by another when the first keeps silent. */
export class Announcer {
  private readonly tabs: Tabs
  private readonly after: Environment['after']
  private readonly pending = new Map<string, Pending>()
  private readonly done = new Set<string>()

  constructor(after: Environment['after'], tabs: Tabs) {
    this.after = after
    this.tabs = tabs
  }

  /** Takes a notice on. @returns the tab that is to announce it, which has to be told */
  assign(event: Positioned<Notice>): string | null {
    if (this.pending.has(event.id) || this.done.has(event.id)) return null
    const pending: Pending = { event, tab: null, tried: new Set(), cancel: () => undefined }
    this.pending.set(event.id, pending)
    return this.choose(pending)
  }

  /** Takes on what an owner before this one left. */
  inherit(events: Positioned<Notice>[], announced: string[]): void {
    for (const id of announced) this.confirm(id)
    for (const event of events) {
      const tab = this.assign(event)
      if (tab) this.tabs.tell(tab, event)
    }
  }

  confirm(id: string): void {
    this.pending.get(id)?.cancel()
    this.pending.delete(id)
    this.done.add(id)
    for (const oldest of this.done) {
      if (this.done.size <= REMEMBERED) break
      this.done.delete(oldest)
    }
  }

  left(tab: string): void {
    for (const pending of this.pending.values()) if (pending.tab === tab) this.pass(pending)
  }

  /** A tab has come, or come to life: it may do what no other did. */
  came(tab: string): void {
    for (const pending of this.pending.values()) {
      if (pending.tab !== null) continue
      pending.tried.delete(tab)
      this.pass(pending)
    }
  }

  /** Forgets every notice. */
  clear(): void {
    for (const { cancel } of this.pending.values()) cancel()
    this.pending.clear()
    this.done.clear()
  }

  private choose(pending: Pending): string | null {
    pending.cancel()
    const tab = this.tabs.choose(pending.tried)
    pending.tab = tab
    if (tab === null) return null
    pending.tried.add(tab)
    pending.cancel = this.after(PATIENCE_MS, () => {
      this.tabs.silent(tab)
      this.pass(pending)
    })
    return tab
  }

  private pass(pending: Pending): void {
    const tab = this.choose(pending)
    if (tab) this.tabs.tell(tab, pending.event)
  }
}
