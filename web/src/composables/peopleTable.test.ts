import { describe, expect, it } from 'vitest'
import cases from './people_tables.json'
import { readPeople } from './peopleTable'

// `belfry user import` is held to the same cases.
describe('a table of people', () => {
  it.each(cases)('is read: $name', ({ text, refused, unknown, people }) => {
    const table = readPeople(text)
    expect(table.fault?.kind).toBe(refused)
    expect(table.unknown).toEqual(unknown)
    const read = table.people.map(({ fault, want, ...person }) => ({
      ...person,
      fault: fault?.kind ?? null,
      // What is refused is sent nowhere.
      want: fault ? {} : want,
    }))
    expect(read).toEqual(people)
  })

  it('says with what a line is wrong', () => {
    const { people } = readPeople('username,role\nanna,user\nbob\nAnna,user\n')
    expect(people.map(({ fault }) => fault)).toEqual([
      null,
      { kind: 'fields', about: 1 },
      { kind: 'again', about: 2 },
    ])
  })

  it('says on which line a quote is left open', () => {
    const { fault } = readPeople('username\r\n"an\r\nna"\r\n"bob\r\ncarl\r\n')
    expect(fault).toEqual({ kind: 'quote', about: '4' })
  })
})
