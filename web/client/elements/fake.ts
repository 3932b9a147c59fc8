import { Emitter } from '../emitter'
import type { ConnectionStatus } from '../event-stream'
import type { SharedEvents } from '../shared-options'
import type { Notice } from '../types'

/** A stream that says what a test lets it say. */
export class FakeStream extends Emitter<SharedEvents> {
  status: ConnectionStatus = { state: 'live' }
  retries = 0

  say<Name extends keyof SharedEvents>(name: Name, payload: SharedEvents[Name]): void {
    this.emit(name, payload)
  }

  retry(): void {
    this.retries++
  }
}

/** A notice whose id is its place on the stream. */
export const notice = (id: number, more: Partial<Notice> = {}): Notice => ({
  ...{ id, cursor: `e-${id}`, title: `Notice ${id}`, body: '', format: 'text', url: null },
  ...{ actions: null, severity: 'info', category: null, sender: { type: 'user', name: 'ann' } },
  ...{ data: null, collapse_key: null, created_at: '2026-05-01T08:00:00.000Z', expires_at: null },
  ...{ read_at: null, archived_at: null, snoozed_until: null },
  ...more,
})
