import { describe, expect, it } from 'vitest'
import { WEEKDAYS, dayName, nights, overnight, quietFault, timeOfDay, zones } from './quietHours'

const hours = { from: '22:00', to: '07:00', time_zone: 'UTC', days: [...WEEKDAYS] }

describe('quiet hours', () => {
  it('begin as the nights, where the reader is', () => {
    expect(quietFault(nights())).toBeNull()
    expect(zones()).toContain(nights().time_zone)
  })

  it.each(['', '7:00', '24:00', '12:60', '12:00:00'])('are not right from "%s"', (from) => {
    expect(quietFault({ ...hours, from })).toBe('times')
    expect(quietFault({ ...hours, to: from })).toBe('times')
  })

  it('need a day', () => {
    expect(quietFault({ ...hours, days: [] })).toBe('days')
  })

  it('end on the next day where they end at or before their beginning', () => {
    expect(overnight(hours)).toBe(true)
    expect(overnight({ ...hours, from: '12:00', to: '12:00' })).toBe(true)
    expect(overnight({ ...hours, from: '12:00', to: '13:00' })).toBe(false)
  })
})

it('days and times are named as the reader names them', () => {
  expect(WEEKDAYS.map((day) => dayName(day, 'en', 'short'))).toEqual([
    ...['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'],
  ])
  expect(dayName('mon', 'zh-CN', 'long')).toBe('星期一')
  expect(timeOfDay('22:05', 'en-GB')).toBe('22:05')
  expect(timeOfDay('22:05', 'en-US')).toMatch(/^10:05\sPM$/)
})

it('zones are offered once, the likely ones first', () => {
  const offered = zones('Asia/Shanghai', 'Europe/Berlin')
  expect(offered.slice(0, 3)).toEqual(['Asia/Shanghai', 'Europe/Berlin', 'UTC'])
  expect(new Set(offered).size).toBe(offered.length)
})
