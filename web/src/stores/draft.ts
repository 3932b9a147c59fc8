import type { NoticeAction, NoticeDraft, Recipient, SentNotice, Severity } from '@client'
import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

/** Whom a message goes to: a person, a group, or all there are. */
export type Addressee = Recipient | typeof EVERYONE

export const EVERYONE = { type: 'everyone', name: '', display_name: '' } as const

/** A message as it stands in the fields; times are the reader's own, as `2026-11-23T09:00`. */
export interface Draft {
  to: Addressee[]
  title: string
  body: string
  format: 'text' | 'markdown'
  severity: Severity
  url: string
  actions: NoticeAction[]
  category: string
  /** Empty: at once. */
  deliverAt: string
  /** Empty: never. */
  expiresAt: string
}

export const emptyDraft = (): Draft => ({
  to: [],
  title: '',
  body: '',
  format: 'text',
  severity: 'info',
  url: '',
  actions: [],
  category: '',
  deliverAt: '',
  expiresAt: '',
})

/** What a message said, to be written once more: to whom and when is decided anew. */
export function draftOf(notice: SentNotice): Draft {
  const { title, body, format, severity, url, actions, category } = notice
  return {
    ...emptyDraft(),
    ...{ title, body, format, severity },
    url: url ?? '',
    // The fields change them, and the list shows these still.
    actions: (actions ?? []).map((action) => ({ ...action })),
    category: category ?? '',
  }
}

/** What is sent of it; what was left empty is left out. */
export function noticeOf(draft: Draft): NoticeDraft {
  const names = (type: 'user' | 'group') =>
    draft.to.filter((recipient) => recipient.type === type).map(({ name }) => name)
  const [users, groups] = [names('user'), names('group')]
  const instant = (local: string) => new Date(local).toISOString()
  const [url, category] = [draft.url.trim(), draft.category.trim()]
  const actions = draft.actions.map(({ label, url: to }) => ({
    label: label.trim(),
    url: to.trim(),
  }))
  return {
    to: {
      ...(users.length > 0 ? { users } : {}),
      ...(groups.length > 0 ? { groups } : {}),
      ...(draft.to.some(({ type }) => type === 'everyone') ? { everyone: true } : {}),
    },
    title: draft.title.trim(),
    body: draft.body,
    format: draft.format,
    severity: draft.severity,
    ...(url ? { url } : {}),
    ...(category ? { category } : {}),
    ...(actions.length > 0 ? { actions } : {}),
    ...(draft.deliverAt ? { deliver_at: instant(draft.deliverAt) } : {}),
    ...(draft.expiresAt ? { expires_at: instant(draft.expiresAt) } : {}),
  }
}

/** The message being written, kept in memory while its writer looks at other pages or is away. */
export const useDraft = defineStore('draft', () => {
  const draft = ref(emptyDraft())
  /** Names this message for the server, so that sending it twice sends it once. */
  const key = ref(newKey())
  const empty = computed(() => JSON.stringify(draft.value) === JSON.stringify(emptyDraft()))

  /** Puts another in its place, by default an empty one. */
  function start(next: Draft = emptyDraft()): void {
    draft.value = next
    renew()
  }

  /** A message that was refused and then changed is another one. */
  function renew(): void {
    key.value = newKey()
  }

  return { draft, key, empty, start, renew }
})

// crypto.randomUUID is missing on plain http; these values are there too.
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
