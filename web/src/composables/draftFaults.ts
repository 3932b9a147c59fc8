import type { NoticeAction } from '@client'
import { isSafeLink } from './safeLink'
import type { Draft } from '@/stores/draft'

const MOST_RECIPIENTS = 10
const TITLE_MOST_CHARACTERS = 200
const BODY_MOST_BYTES = 16 * 1024
const LINK_MOST_BYTES = 2048
const LABEL_MOST_CHARACTERS = 40
const YEAR_MS = 365 * 24 * 3_600_000

export const MOST_ACTIONS = 4
export const CATEGORY_MOST_CHARACTERS = 64

export type Fault =
  | 'to'
  | 'unknownTo'
  | 'tooMany'
  | 'title'
  | 'titleLong'
  | 'bodyLong'
  | 'url'
  | 'label'
  | 'category'
  | 'past'
  | 'far'
  | 'order'

type Field = Exclude<keyof Draft, 'format' | 'severity' | 'actions'>

/** What is wrong, by field; of the links below a message by `label` or `link` and their place. */
export type Faults = Partial<Record<Field | `${'label' | 'link'}${number}`, Fault>>

// Characters are code points: an emoji is one.
const characters = (text: string) => [...text].length
const bytes = (text: string) => new TextEncoder().encode(text).length

/**
 * What the server would refuse, found before it is asked: one fault a field.
 * @param admin may write to any number of people
 */
export function faults(draft: Draft, admin = false, now = Date.now()): Faults {
  const found: Faults = {}
  const users = draft.to.filter(({ type }) => type === 'user')
  if (draft.to.length === 0) found.to = 'to'
  else if (users.length > MOST_RECIPIENTS && !admin) found.to = 'tooMany'

  const title = draft.title.trim()
  if (title === '') found.title = 'title'
  else if (characters(title) > TITLE_MOST_CHARACTERS) found.title = 'titleLong'

  if (bytes(draft.body) > BODY_MOST_BYTES) found.body = 'bodyLong'
  if (draft.url.trim() && !isLink(draft.url)) found.url = 'url'
  if (characters(draft.category.trim()) > CATEGORY_MOST_CHARACTERS) found.category = 'category'
  return { ...found, ...actionFaults(draft.actions), ...timeFaults(draft, now) }
}

function actionFaults(actions: readonly NoticeAction[]): Faults {
  const found: Faults = {}
  actions.forEach(({ label, url }, at) => {
    const length = characters(label.trim())
    if (length < 1 || length > LABEL_MOST_CHARACTERS) found[`label${at}`] = 'label'
    if (!isLink(url)) found[`link${at}`] = 'url'
  })
  return found
}

function timeFaults({ deliverAt, expiresAt }: Draft, now: number): Faults {
  const found: Faults = {}
  // An empty field gives no number, and what is no number is neither past nor far.
  const deliver = new Date(deliverAt).getTime()
  const expire = new Date(expiresAt).getTime()
  if (deliver <= now) found.deliverAt = 'past'
  else if (deliver > now + YEAR_MS) found.deliverAt = 'far'
  if (expire <= now) found.expiresAt = 'past'
  else if (expire <= deliver) found.expiresAt = 'order'
  return found
}

const isLink = (url: string) => bytes(url.trim()) <= LINK_MOST_BYTES && isSafeLink(url.trim())

/** The server's names of the fields, and what a refusal of each is called here. */
const REFUSED: readonly [RegExp, keyof Faults, Fault][] = [
  [/^to\b/, 'to', 'unknownTo'],
  [/^title$/, 'title', 'title'],
  [/^body$/, 'body', 'bodyLong'],
  [/^url$/, 'url', 'url'],
  [/^category$/, 'category', 'category'],
  [/^deliver_at$/, 'deliverAt', 'past'],
  [/^expires_at$/, 'expiresAt', 'past'],
]

/** Finds the fields that a refusal of the server is about. */
export function refusedFields(errors: readonly { field: string }[]): Faults {
  const found: Faults = {}
  for (const { field } of errors) {
    const action = /^actions\[(\d+)\]\.(label|url)$/.exec(field)
    if (action) {
      const at = Number(action[1])
      if (action[2] === 'label') found[`label${at}`] = 'label'
      else found[`link${at}`] = 'url'
    }
    const known = REFUSED.find(([pattern]) => pattern.test(field))
    if (known) found[known[1]] = known[2]
  }
  return found
}
