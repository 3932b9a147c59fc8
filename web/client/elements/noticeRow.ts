import type { Notice } from '../types'
import { attribute, h, icon, ICONS, write } from './dom'
import type { Clock, Words } from './words'

/** What a row can be asked for. */
export interface RowActions {
  /** Follows the notice; the event may be prevented. */
  open: (notice: Notice, event: Event) => void
  /** Null where nothing can be marked. */
  mark: ((notice: Notice, what: 'read' | 'unread' | 'archived') => void) | null
  /** Where a click leads, or null for nowhere. */
  target: (notice: Notice) => string | null
}

/** One notice in the bell's list. It stays the same element while its notice does, and keeps the focus. */
export class NoticeRow {
  readonly element = h('li', { part: 'row' })
  private notice: Notice
  private readonly words: Words
  private readonly actions: RowActions
  private readonly main: HTMLElement
  private readonly title = h('span', { dir: 'auto' })
  private readonly dot = h('span', { class: 'dot', part: 'dot' })
  private readonly time = h('time', { part: 'time' })
  private readonly glyph = h('span', { part: 'glyph' })
  private readonly more = h('span', { class: 'more', part: 'more' })
  private readonly toggle: HTMLButtonElement | null = null

  constructor(notice: Notice, words: Words, clock: Clock, actions: RowActions) {
    this.notice = notice
    this.words = words
    this.actions = actions
    this.main = this.mainControl()
    this.dot.append(h('span', { class: 'unseen' }, words.bell.unreadMark))
    const title = h('span', { class: 'title', part: 'title' }, this.title, this.dot)
    this.main.append(this.glyph, title, this.time, this.more)
    this.element.append(this.main)
    if (actions.mark) {
      this.toggle = this.button(words.bell.read, ICONS.read, () =>
        actions.mark?.(this.notice, this.notice.read_at ? 'unread' : 'read'),
      )
      const archive = this.button(words.bell.archive, ICONS.archive, () =>
        actions.mark?.(this.notice, 'archived'),
      )
      this.element.append(h('div', { class: 'actions', part: 'actions' }, this.toggle, archive))
    }
    this.update(notice, clock)
  }

  update(notice: Notice, clock: Clock): void {
    const fresh = notice.read_at === null
    this.notice = notice
    this.element.className = fresh ? 'fresh' : ''
    this.element.setAttribute('part', fresh ? 'row row-unread' : 'row')
    this.dot.hidden = !fresh
    write(this.title, notice.title)
    write(this.more, summary(notice))
    this.showSeverity(notice)
    this.showTime(clock)
    if (this.toggle) this.relabel(this.toggle, fresh)
    if (this.main instanceof HTMLAnchorElement)
      attribute(this.main, 'href', this.actions.target(notice))
  }

  showTime(clock: Clock): void {
    const { created_at: at } = this.notice
    attribute(this.time, 'datetime', at)
    attribute(this.time, 'title', clock.exact(at))
    write(this.time, clock.relative(at, Date.now()))
  }

  focus(): void {
    this.main.focus()
  }

  /** A link where it leads somewhere, so that it can be opened as any link can. */
  private mainControl(): HTMLElement {
    const attributes = { class: 'open', part: 'open' }
    const main =
      this.actions.target(this.notice) === null
        ? h('button', { ...attributes, type: 'button' })
        : h('a', { ...attributes, rel: 'noopener noreferrer' })
    main.addEventListener('click', (event) => this.actions.open(this.notice, event))
    return main
  }

  private showSeverity({ severity }: Notice): void {
    if (this.glyph.dataset.severity === severity) return
    this.glyph.dataset.severity = severity
    this.glyph.className = `glyph ${severity}`
    const word = h('span', { class: 'unseen' }, this.words.severity[severity])
    this.glyph.replaceChildren(icon(...ICONS[severity]), word)
  }

  private button(label: string, paths: readonly string[], run: () => void): HTMLButtonElement {
    const attributes = {
      type: 'button',
      class: 'button plain',
      part: 'action',
      'aria-label': label,
    }
    const button = h('button', { ...attributes, title: label }, icon(...paths))
    button.addEventListener('click', run)
    return button
  }

  private relabel(button: HTMLButtonElement, fresh: boolean): void {
    const label = fresh ? this.words.bell.read : this.words.bell.unread
    if (button.title === label) return
    button.title = label
    button.setAttribute('aria-label', label)
    button.replaceChildren(icon(...(fresh ? ICONS.read : ICONS.unread)))
  }
}

/** Sender and first line. */
function summary({ sender, body }: Notice): string {
  const line = body.trimStart().split('\n', 1)[0] ?? ''
  return line === '' ? sender.name : `${sender.name} · ${line}`
}
