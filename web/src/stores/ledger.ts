import { atOrBefore, type InboxView, type Notice, type NoticeState } from '@client'
import { belongs, changed, collapseKey, placeIn, tellsOf, type Change } from './noticeStates'

/** What the reader did, shown until the server has said it too, or has refused it. */
export interface Deed extends Change {
  /** `answered`: it was done, and the stream has not said so yet. */
  stage: 'sent' | 'answered' | 'confirmed'
  /** By how much the count differs from what is on show, where only the server could tell. */
  correction: number
}

/**
 * The notices that are known, in the order of the log: as the server has said they are, and on top
 * of it what the reader did meanwhile. What is refused is dropped, so nothing has to be put back.
 */
export class Ledger {
  /** Newest first. */
  private notices: Notice[] = []
  private byId = new Map<number, Notice>()
  /** Where the newest of each collapse key lies: it takes the place of all before it. */
  private newestOf = new Map<string, string>()
  private over = new Set<number>()
  /** Those of which nobody said whether they are superseded or expired. */
  private unsure = new Set<number>()
  private deeds: Deed[] = []
  private requests = new Set<Change[]>()
  private said = 0
  /** Where in the log the count is from: what lies before changes nothing. */
  private countedAt: string | null = null
  private exact = true // not after an event that cannot say what it makes of the count
  readonly withdrawn = new Set<number>()

  /** Begins anew with what the server says. What was sent and not answered yet stays on top. */
  replace(notices: readonly Notice[], sure: boolean, unread: number, cursor: string): void {
    this.clear()
    this.add(notices, sure)
    this.count(unread, cursor)
  }

  clear(): void {
    this.notices = []
    this.byId.clear()
    this.newestOf.clear()
    this.over.clear()
    this.unsure.clear()
    this.requests.clear()
    this.said = 0
    this.countedAt = null
    this.deeds = this.deeds.filter(({ stage }) => stage === 'sent')
  }

  /**
   * Takes in what was asked for; what is known already is at least as new.
   * @param sure whether they are neither superseded nor expired, as none of an inbox is
   */
  add(notices: readonly Notice[], sure: boolean, meanwhile: readonly Change[] = []): void {
    for (const notice of notices) {
      const key = collapseKey(notice)
      const newest = key && this.newestOf.get(key)
      if (sure) this.unsure.delete(notice.id)
      else if (!this.byId.has(notice.id) && (key ?? notice.expires_at)) this.unsure.add(notice.id)
      if (sure && key && (!newest || atOrBefore(newest, notice.cursor)))
        this.newestOf.set(key, notice.cursor)
    }
    this.insert(notices, meanwhile)
  }

  private insert(notices: readonly Notice[], meanwhile: readonly Change[]): void {
    const fresh = notices.filter((notice) => {
      if (this.byId.has(notice.id) || this.withdrawn.has(notice.id)) return false
      return this.byId.set(notice.id, notice)
    })
    const [first, last] = [fresh[0], this.notices.at(-1)]
    if (!last || (first && atOrBefore(first.cursor, last.cursor))) this.notices.push(...fresh)
    else fresh.forEach((notice) => this.notices.splice(this.placeOf(notice.cursor), 0, notice))
    for (const change of meanwhile) {
      for (const { id } of fresh) {
        const notice = this.byId.get(id)
        if (notice && this.hits(change, notice)) this.put(notice, change)
      }
    }
  }

  /** Notes what comes from now on, for an answer may be older than that; `forget` ends it. */
  record(): Change[] {
    const meanwhile: Change[] = []
    this.requests.add(meanwhile)
    return meanwhile
  }

  /** False where all began anew since: what came before that was not noted. */
  forget(meanwhile: Change[]): boolean {
    return this.requests.delete(meanwhile)
  }

  /** A new notice of the stream; false where only the server knows the count after it. */
  arrive(notice: Notice, at: string): boolean {
    if (this.byId.has(notice.id)) return this.exact
    const key = collapseKey(notice)
    const newest = key && this.newestOf.get(key)
    const before = newest ? this.notices[this.placeOf(newest)] : undefined
    const freed = before && before.cursor === newest ? this.counts(before) : 0
    this.add([notice], true)
    if (atOrBefore(at, this.countedAt)) return this.exact
    this.countedAt = at
    this.said += 1 - freed
    // The one before it may be further down than the list goes.
    if (key && !newest) this.exact = false
    return this.exact
  }

  /** A change that the stream tells of; false where only the server knows the count after it. */
  change(event: NoticeState, at: string): boolean {
    this.requests.forEach((meanwhile) => meanwhile.push(event))
    for (const notice of this.hit(event)) this.put(notice, event)
    if (event.state === 'withdrawn') event.ids?.forEach((id) => this.withdrawn.add(id))
    if (atOrBefore(at, this.countedAt)) return this.exact
    // It left the count when the newer one came: else each page would ask with each notice to all.
    if (event.state === 'superseded' && event.unread === null) return this.exact
    this.countedAt = at
    this.exact = event.unread !== null
    this.said = event.unread ?? this.said
    return this.exact
  }

  /** Takes the count of a moment; false where it is too old to be of use, and one is wanted. */
  count(unread: number, at: string): boolean {
    if (this.countedAt !== null && !atOrBefore(this.countedAt, at)) return this.exact
    this.said = unread
    this.countedAt = at
    this.exact = true
    return true
  }

  /** The unread count as it is on show. */
  unread(): number {
    let sum = this.said
    for (const { correction } of this.deeds) sum += correction
    for (const notice of new Set(this.deeds.flatMap((deed) => this.hit(deed))))
      sum += this.counts(this.onShow(notice)) - this.counts(notice)
    return Math.max(0, sum)
  }

  /** Does at once what the server is being asked for. */
  act(change: Change): Deed {
    const deed: Deed = { ...change, stage: 'sent', correction: 0 }
    this.deeds.push(deed)
    return deed
  }

  drop(deed: Deed): void {
    this.deeds = this.deeds.filter((other) => other !== deed)
  }

  /** The server did it. Until the stream says so too, it stays on top. */
  answered(deed: Deed, changes: number, unread: number): void {
    if (deed.stage === 'confirmed') return
    deed.stage = 'answered'
    // Not all of it is known here, but the server has counted.
    if (deed.up_to) deed.correction += unread - this.unread()
    // It was so already: the stream has told of that, or will.
    if (changes === 0) this.drop(deed)
  }

  /**
   * The stream has said what was done here, or something later, which then holds.
   * @returns whether it was done here
   */
  confirm(event: NoticeState): boolean {
    const same = this.deeds.find((deed) => tellsOf(event, deed))
    if (same) {
      same.stage = 'confirmed'
      this.drop(same)
      return true
    }
    this.deeds = this.deeds.filter(
      ({ stage, ids }) => stage === 'sent' || !ids?.some((id) => event.ids?.includes(id)),
    )
    return false
  }

  /** Whether all is known that decides where a notice belongs. */
  knows(id: number): boolean {
    return this.byId.has(id) && !this.unsure.has(id)
  }

  /** A notice as it is on show, whichever view it is in. */
  get(id: number): Notice | null {
    const notice = this.byId.get(id)
    return notice ? this.onShow(notice) : null
  }

  /**
   * Those of a view, newest first.
   * @param from where what was loaded ends; older ones that are known are not shown
   * @param kept those that stay among the unread though they have been read
   */
  list(view: InboxView, from: string | null, kept: ReadonlySet<number>): Notice[] {
    const end = from === null ? this.notices.length : this.placeOf(from) + 1
    return this.notices.slice(0, end).flatMap((notice) => {
      const seen = this.onShow(notice)
      const as = view === 'unread' && kept.has(notice.id) ? 'inbox' : view
      return belongs(seen, as, this.isCurrent(seen)) ? [seen] : []
    })
  }

  private onShow(notice: Notice): Notice {
    let seen = notice
    for (const deed of this.deeds) if (this.hits(deed, seen)) seen = changed(seen, deed)
    return seen
  }

  private hit(change: Change): Notice[] {
    if (!change.ids) return this.notices.filter((notice) => this.hits(change, notice))
    return change.ids.flatMap((id) => this.byId.get(id) ?? [])
  }

  private hits({ ids, up_to }: Change, notice: Notice): boolean {
    if (ids) return ids.includes(notice.id)
    const inside = belongs(notice, 'inbox', this.isCurrent(notice))
    return up_to !== undefined && inside && atOrBefore(notice.cursor, up_to)
  }

  private put(notice: Notice, change: Change): void {
    const at = this.placeOf(notice.cursor)
    if (change.state === 'withdrawn') {
      this.notices.splice(at, 1)
      this.byId.delete(notice.id)
    } else if (change.state === 'expired' || change.state === 'superseded') {
      this.over.add(notice.id)
    } else {
      this.notices[at] = changed(notice, change)
      this.byId.set(notice.id, this.notices[at])
    }
  }

  private isCurrent(notice: Notice): boolean {
    const key = collapseKey(notice)
    if (this.over.has(notice.id) || this.unsure.has(notice.id)) return false
    return !key || this.newestOf.get(key) === notice.cursor
  }

  private counts(notice: Notice): number {
    return Number(belongs(notice, 'unread', this.isCurrent(notice)))
  }

  private placeOf(cursor: string): number {
    return placeIn(this.notices, cursor)
  }
}
