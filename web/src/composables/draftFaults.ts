import type { Recipient } from '@client'

const MOST_RECIPIENTS = 10
const TITLE_MOST_CHARACTERS = 200
const BODY_MOST_BYTES = 16 * 1024

export interface Faults {
  to?: 'to' | 'unknownTo' | 'tooMany' | undefined
  title?: 'title' | 'titleLong' | undefined
  body?: 'bodyLong' | undefined
  url?: 'url' | undefined
}

interface Draft {
  to: Recipient[]
  title: string
  body: string
  url: string
}

/** What the server would refuse, found before it is asked: one fault a field. */
export function faults(draft: Draft): Faults {
  const found: Faults = {}
  const users = draft.to.filter(({ type }) => type === 'user')
  if (draft.to.length === 0) found.to = 'to'
  else if (users.length > MOST_RECIPIENTS) found.to = 'tooMany'

  const title = draft.title.trim()
  if (title === '') found.title = 'title'
  // Characters are code points: an emoji is one.
  else if ([...title].length > TITLE_MOST_CHARACTERS) found.title = 'titleLong'

  if (new TextEncoder().encode(draft.body).length > BODY_MOST_BYTES) found.body = 'bodyLong'
  if (!isLink(draft.url.trim())) found.url = 'url'
  return found
}

/** Whether a link may be sent: none, a path of this site, or a web address. */
function isLink(url: string): boolean {
  if (url === '') return true
  // Two slashes would lead to another site.
  if (url.startsWith('/')) return !/^\/[/\\]/.test(url)
  const scheme = URL.parse(url)?.protocol
  return scheme === 'http:' || scheme === 'https:'
}
