import type { Notice } from '@client'

/** What stands before a line of markdown, and around words in it. Good enough for one line that is only to hint. */
const MARKS: readonly (readonly [RegExp, string])[] = [
  [/^(?:\s*(?:#{1,6}\s|>|[-*+]\s|\d+[.)]\s))+/, ''],
  [/!?\[([^\]]*)\]\([^)]*\)/g, '$1'],
  [/(\*\*|__|~~|`+)(.+?)\1/g, '$2'],
]

/** The first line of a notice's text, for where there is room for one. */
export function firstLine({ body, format }: Pick<Notice, 'body' | 'format'>): string {
  const line = body.trimStart().split('\n', 1)[0] ?? ''
  if (format !== 'markdown') return line
  return MARKS.reduce((text, [mark, instead]) => text.replace(mark, instead), line).trim()
}
