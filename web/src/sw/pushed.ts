import type { Words } from './shell'

/** What the server pushes. While the session is locked it says no more than that something is there. */
type Pushed =
  | {
      type: 'notice'
      id: number
      title: string
      body: string
      severity: string
      unread: number
    }
  | { type: 'waiting' }

/** What a notification leads to: a notice, or the page alone. */
export interface Leads {
  id: number | null
}

export interface Shown {
  title: string
  options: NotificationOptions
  /** For the icon of the installed app; null leaves it as it is. */
  unread: number | null
}

const isNotice = (value: unknown): value is Extract<Pushed, { type: 'notice' }> => {
  const message = value as Partial<Record<string, unknown>> | null
  return message?.type === 'notice' && typeof message.id === 'number'
}

/** The tag that the page gives its own pop-up of the same notice: of the two one is shown. */
export const tagOf = (id: number) => `belfry-${id}`
export const WAITING_TAG = 'belfry-waiting'

/** What to show of a push. A browser wants something shown for each, whatever it was. */
export function shownOf(text: string | undefined, words: Words): Shown {
  const message = parse(text)
  if (!isNotice(message)) {
    const data: Leads = { id: null }
    return { title: words.waiting, options: { tag: WAITING_TAG, data }, unread: null }
  }
  const data: Leads = { id: message.id }
  return {
    title: message.title,
    options: {
      body: message.body,
      tag: tagOf(message.id),
      requireInteraction: message.severity === 'critical',
      data,
    },
    unread: message.unread,
  }
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    return null
  }
}
