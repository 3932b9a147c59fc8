import type { WantedUser } from '@client'
import { QuoteFault, readRows, type Row } from './csv'

/** The columns that are understood; `belfry user import` understands the same. */
export const COLUMNS = ['username', 'display_name', 'role', 'groups', 'disabled'] as const
type Column = (typeof COLUMNS)[number]

/** The server's rule for the names of people. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$/
const TRUE = ['true', 't', '1']
const FALSE = ['false', 'f', '0']

/** What is wrong, and with what: a number, or a column's name. */
export interface TableFault {
  kind: 'empty' | 'quote' | 'column' | 'password' | 'noUsername'
  about: string
}
export interface LineFault {
  kind: 'fields' | 'name' | 'role' | 'disabled' | 'again'
  about: number
}

/** How somebody is to be, by a line of the table. */
export interface Person {
  /** Of the file, the first being 1. */
  line: number
  username: string
  want: WantedUser
  fault: LineFault | null
}

export interface PeopleTable {
  people: Person[]
  /** Columns that say nothing to us. */
  unknown: string[]
  /** Of the whole file; nobody was read then. */
  fault: TableFault | null
}

/**
 * Reads a table (RFC 4180) of people as `belfry user import` does: a semicolon between the fields is
 * understood, and lines of nothing but separators are passed over.
 */
export function readPeople(text: string): PeopleTable {
  const [head = ''] = text.split('\n', 1)
  const delimiter = head.includes(';') && !head.includes(',') ? ';' : ','
  try {
    return peopleOf(readRows(text, delimiter))
  } catch (error) {
    if (error instanceof QuoteFault) return refused('quote', String(error.line))
    throw error
  }
}

function peopleOf([header, ...rows]: readonly Row[]): PeopleTable {
  const names = header?.fields ?? []
  const columns = columnsOf(names)
  if ('kind' in columns) return refused(columns.kind, columns.about)
  const first = new Map<string, number>()
  const people: Person[] = []
  for (const { line, fields } of rows) {
    if (fields.every((field) => !field.trim())) continue
    const person = personOf(line, fields, columns.at, names.length)
    const name = person.username.toLowerCase()
    const earlier = first.get(name)
    if (earlier === undefined) first.set(name, line)
    else person.fault ??= { kind: 'again', about: earlier }
    people.push(person)
  }
  return { people, unknown: columns.unknown, fault: null }
}

const refused = (kind: TableFault['kind'], about = ''): PeopleTable => ({
  people: [],
  unknown: [],
  fault: { kind, about },
})

/** Tells where each column is. */
function columnsOf(
  names: readonly string[],
): { at: Map<Column, number>; unknown: string[] } | TableFault {
  const at = new Map<Column, number>()
  const unknown: string[] = []
  if (names.every((name) => !name.trim())) return { kind: 'empty', about: '' }
  for (const [index, written] of names.entries()) {
    const name = written.trim().toLowerCase()
    const column = COLUMNS.find((one) => one === name)
    // Files are copied; people set their passwords by a link.
    if (name === 'password') return { kind: 'password', about: name }
    if (column && at.has(column)) return { kind: 'column', about: name }
    if (column) at.set(column, index)
    else if (name) unknown.push(name)
  }
  return at.has('username') ? { at, unknown } : { kind: 'noUsername', about: '' }
}

function personOf(
  line: number,
  fields: readonly string[],
  at: ReadonlyMap<Column, number>,
  width: number,
): Person {
  const get = (column: Column) => (fields[at.get(column) ?? -1] ?? '').trim()
  const [username, shown] = [get('username'), get('display_name')]
  const [role, disabled] = [get('role').toLowerCase(), get('disabled').toLowerCase()]
  const groups = get('groups')
    .split(/[;,\s]+/)
    .filter(Boolean)
  const person: Person = { line, username, want: {}, fault: null }
  const faulty = (kind: LineFault['kind'], about = 0) => ({ ...person, fault: { kind, about } })
  if (fields.length !== width) return faulty('fields', fields.length)
  if (!NAME.test(username)) return faulty('name')
  if (disabled && ![...TRUE, ...FALSE].includes(disabled)) return faulty('disabled')
  if (role && role !== 'user' && role !== 'admin') return faulty('role')
  person.want = {
    ...(shown ? { display_name: shown } : {}),
    ...(role === 'user' || role === 'admin' ? { role } : {}),
    ...(disabled ? { disabled: TRUE.includes(disabled) } : {}),
    ...(groups.length > 0 ? { groups } : {}),
  }
  return person
}
