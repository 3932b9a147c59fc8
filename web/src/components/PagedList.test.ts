import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, expect, it, vi } from 'vitest'
import { defineComponent, h, type Component } from 'vue'
import { show } from '@/testing'
import PagedList from './PagedList.vue'

beforeEach(() => setActivePinia(createPinia()))

it('keeps the focus of whoever asked for more, and asks but once', async () => {
  const more = vi.fn()
  const list = { state: 'ready', items: [1], nextBefore: 'x', retry: vi.fn(), more }
  const view = show(PagedList, { list, empty: 'None', more: 'Show more' })
  const button = view.get('button').element
  button.focus()
  button.click()
  await view.setProps({ list: { ...list, state: 'loading' } })
  expect(document.activeElement).toBe(button)
  expect(button.textContent.trim()).toBe('Loading…')
  button.click()
  await view.setProps({ list })
  expect(document.activeElement).toBe(button)
  expect(more).toHaveBeenCalledOnce()
})

const row = (name: string) => h('li', h('button', name))
const listed = (...names: string[]) => ({
  list: { state: 'ready', items: names, nextBefore: null, retry: vi.fn(), more: vi.fn() },
})
/** A list of names, on a page whose content begins at `main`. */
const Names = defineComponent({
  props: { list: { type: Object, required: true } },
  setup: (props) => () =>
    h('main', { id: 'main', tabindex: -1 }, [
      h(PagedList as Component, { list: props.list, empty: 'None', more: 'More' }, () =>
        (props.list.items as string[]).map(row),
      ),
    ]),
})

it('passes the focus of a row that goes to the one in its place', async () => {
  const view = show(Names, listed('ann', 'bob', 'cem'))
  const focused = () => document.activeElement?.textContent
  view.findAll('button')[1]!.element.focus()
  await view.setProps(listed('ann', 'cem'))
  await flushPromises()
  expect(focused()).toBe('cem')
  await view.setProps(listed('ann'))
  await flushPromises()
  expect(focused()).toBe('ann')
  await view.setProps(listed())
  await flushPromises()
  expect(document.activeElement?.id).toBe('main')
})

it('leads from the button for more to the first that the last page brought', async () => {
  const { list } = listed('ann', 'bob')
  const view = show(Names, { list: { ...list, nextBefore: 'x' } })
  view.findAll('button').at(-1)!.element.focus()
  await view.setProps(listed('ann', 'bob', 'cem', 'dan'))
  await flushPromises()
  expect(document.activeElement?.textContent).toBe('cem')
})

it('keeps the focus of whoever tries again, and leads to what then comes', async () => {
  const { list } = listed()
  const view = show(Names, { list: { ...list, state: 'failed' } })
  const button = view.get('button').element
  button.focus()
  button.click()
  await view.setProps({ list: { ...list, state: 'loading' } })
  expect(document.activeElement).toBe(button)
  await view.setProps({ list: { ...list, state: 'failed' } })
  expect(document.activeElement).toBe(button)
  button.click()
  await view.setProps({ list: { ...list, state: 'loading' } })
  await view.setProps(listed('ann', 'bob'))
  await flushPromises()
  expect(document.activeElement?.textContent).toBe('ann')
  expect(list.retry).toHaveBeenCalledTimes(2)
})
