import type { Positioned } from './stream'
import type { Notice } from './types'

/** How many ids are remembered as announced. */
export const REMEMBERED = 128

/** What a tab knows of what is to be announced, for an owner that comes after this one. */
export class Announcements {
  private readonly waiting = new Map<string, Positioned<Notice>>()
  private done: string[] = []

  get pending(): Positioned<Notice>[] {
    return [...this.waiting.values()]
  }

  get announced(): string[] {
    return this.done
  }

  /** Some tab is to announce it. */
  expect(event: Positioned<Notice>): void {
    if (!this.done.includes(event.id)) this.waiting.set(event.id, event)
  }

  /** @returns false where it was known already */
  announce(id: string): boolean {
    if (this.done.includes(id)) return false
    this.waiting.delete(id)
    this.done = [...this.done.slice(1 - REMEMBERED), id]
    return true
  }

  /** Forgets what waits: nobody may see it, or another sees to it. */
  drop(): void {
    this.waiting.clear()
  }

  clear(): void {
    this.drop()
    this.done = []
  }
}
