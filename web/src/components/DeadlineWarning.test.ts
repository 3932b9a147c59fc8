import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { h, nextTick, type FunctionalComponent } from 'vue'
import type { Remaining } from '@/stores/deadlines'
import { show } from '@/testing'
import DeadlineWarning from './DeadlineWarning.vue'

beforeEach(() => {
  vi.useFakeTimers()
  setActivePinia(createPinia())
})
afterEach(() => {
  vi.useRealTimers()
  document.body.innerHTML = ''
})

const Page: FunctionalComponent<{ warning: Remaining | null }> = ({ warning }) =>
  warning && h(DeadlineWarning, { warning })
Page.props = ['warning']

/** A page of which one thing has the focus, and then the warning. */
function warned(kind: 'idle' | 'max_age', tag: string) {
  const focused = document.createElement(tag)
  focused.tabIndex = 0
  const warning = show(Page, { warning: { kind, ms: 59_800 } }, () => {
    document.body.append(focused)
    focused.focus()
  })
  vi.advanceTimersByTime(0)
  return { warning, focused }
}

const said = (warning: ReturnType<typeof show>) => warning.get('[role=alert]').text()

describe('the warning', () => {
  it.each(['input', 'textarea', 'select'])('leaves the focus in a %s', async (tag) => {
    const { warning, focused } = warned('idle', tag)
    await nextTick()
    expect(document.activeElement).toBe(focused)
    expect(said(warning)).toBe('Your session locks in 60 seconds. Any key keeps it open.')
  })

  it('puts its button under Enter where nobody types, and gives the focus back', async () => {
    const { warning, focused } = warned('idle', 'button')
    expect(document.activeElement).toBe(warning.get('button').element)
    // Read out with the focus, and not a second time.
    await nextTick()
    expect(said(warning)).toBe('')
    await warning.setProps({ warning: null })
    expect(document.activeElement).toBe(focused)
  })

  it('offers no button, and takes no focus, where there is no staying', async () => {
    const { warning, focused } = warned('max_age', 'a')
    await nextTick()
    expect(warning.find('button').exists()).toBe(false)
    expect(document.activeElement).toBe(focused)
    expect(said(warning)).toBe('You sign in again in 60 seconds.')
  })

  it('is read out three times, and never each second', async () => {
    const { warning } = warned('idle', 'input')
    const heard = new Set<string>()
    for (let ms = 59_800; ms > 0; ms -= 250) {
      await warning.setProps({ warning: { kind: 'idle', ms } })
      heard.add(said(warning))
    }
    expect([...heard]).toEqual([
      'Your session locks in 60 seconds. Any key keeps it open.',
      'Your session locks in 30 seconds. Any key keeps it open.',
      'Your session locks in 10 seconds. Any key keeps it open.',
    ])
    expect(warning.get('h2').attributes('aria-live')).toBe('off')
  })
})
